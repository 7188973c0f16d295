"""How a verdict was computed, in words with references: one sentence for each method that was used, and no other."""

from collections.abc import Mapping, Sequence

from seqwise.verdict.findings import Finding, Question

TESTS: Mapping[str, str] = {
    "mcnemar": "Right or wrong on the same items: McNemar's mid-p test (McNemar 1947; Fagerland, Lydersen and Laake "
    "2013) with Tango's score interval (Tango 1998), of 50 items or fewer by its estimated p (Lloyd 2008; Lloyd and "
    "Moldovan 2008).",
    "paired t": "Scores of the same items: Student's t of the differences, with a test by flips of signs and a "
    "bootstrap of the mean beside it (Fisher 1935; Efron 1979).",
    "approximate randomization": "Scores that are made of sums over the items: outputs of the two systems swapped at "
    "random (Noreen 1989), the interval by the jackknife (Tukey 1958), the paired bootstrap beside it (Koehn 2004).",
    "diebold-mariano": "Forecasts from successive origins, whose errors depend on each other: Diebold and Mariano's "
    "test of the mean difference (1995), corrected for small samples (Harvey, Leybourne and Newbold 1997), with the "
    "covariances of the horizon or of the cube root of the origins, and the degrees of freedom that their sum leaves.",
    "sign test": "Differences that are all the same: the share of the flips of their signs that are as far from "
    "none (Fisher 1935). The interval, and p against a margin, are what so many items of one difference leave open.",
    "clusters": "Items that belong together: CR2's error of clusters, CR1's where they are of one size (Cameron and "
    "Miller 2015), with degrees of freedom by Bell and McCaffrey (2002), the items of a cluster a little alike.",
    "score test of clusters": "Right or wrong by clusters: Tango's score test (Tango 1998) by Student's t, flips and "
    "items divided by the design effect (Rao and Scott 1992), p never below that of single items (Berger 1982).",
    "seeds": "Several seeds: the variance of seeds and of items in one error (Satterthwaite 1946), p and interval by "
    "Behrens and Fisher, and by the matching prior of Ghosh and Kim (2001), the more the more seeds there are, and p "
    "never below that of items alone (Berger 1982).",
}
"""By what stands in the name of a test."""
QUESTIONS: Mapping[Question, str] = {
    "generalization": "Losses: non-inferiority against a margin that is fixed before, one-sided at 5 %, and two "
    "one-sided tests for no change (Schuirmann 1987); of right or wrong by Tango's score test, of 50 "
    "items or fewer by its estimated p (Lloyd 2008), of several seeds with what its variance at the margin has over "
    "that at the difference seen, p never below that of items alone (Berger 1982). Where several systems are "
    "tried on a set, that nothing was lost is by Holm's p over them.",
    "overfitting": "Overfitting: the rise of the validation loss over the best earlier look, on the same items where "
    "their losses are known, by the largest t of all looks (Hothorn, Bretz and Westfall 2008), where not against the "
    "jitter of the looks; what was learnt by heart by the losses of trained and unseen items (Yeom et al. 2018; "
    "DeLong, DeLong and Clarke-Pearson 1988).",
    "data": "More data: a power law over nested parts of the training files by profile likelihood (Bates and Watts "
    "1988; Hestness et al. 2017), read no farther than four times the largest.",
    "cost": "Costs: as each run measured them; ratios of geometric means with Welch's interval.",
    "systems": "Systems against one another: every pair as each against the base, p by Holm over the pairs; no "
    "difference that matters by two one-sided tests against the margin (Schuirmann 1987), whose p are Holm's too. What "
    "they could have shown is by 5 % divided by the pairs.",
    "trade": "Weights between base and tuned (Wortsman et al. 2022): the share is chosen on validation by the rule of "
    "one standard error (Breiman et al. 1984), and tested once on the test set.",
}
"""By what was asked."""
TRIED = "The best of several tries is taken down by what the largest of so many normal values lies above their mean."
HOLM = "Several sets, slices, rivals, systems or pairs of these at once: p-values by Holm's correction (Holm 1979)."
POWER = (
    "What could have been shown is found four times in five by a two-sided test at 5 %; it follows from the spread "
    "that was seen, never from the p-value."
)


def methods(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Of what was measured."""
    measured = [one for one in findings if one.state == "MEASURED"]
    names = " ".join(one.test.name.lower() for one in measured if one.test)
    asked = {one.question for one in measured}
    told = [text for name, text in TESTS.items() if name in names]
    told += [text for question, text in QUESTIONS.items() if question in asked]
    told += [TRIED] if any("optimism" in one.values for one in measured) else []
    several = any(
        sum(one.question == question and one.test is not None for one in measured) > 1
        for question in ("gain", "generalization", "rival", "systems", "changed")
    )
    detected = any(one.test and one.test.detectable for one in measured)
    return (*told, *((HOLM,) if several else ()), *((POWER,) if detected else ()))
