"""Major groups of occupations by the ranges of their codes, as the classifications themselves have them."""

from __future__ import annotations

from collections.abc import Mapping

Ranges = Mapping[tuple[int, int], str]

CENSUS_1970: Ranges = {
    (1, 196): "professional, technical, and kindred workers",
    (201, 246): "managers and administrators, except farm",
    (260, 296): "sales workers",
    (301, 396): "clerical and kindred workers",
    (401, 579): "craftsmen and kindred workers",
    (580, 590): "armed forces",
    (601, 699): "operatives, except transport",
    (701, 726): "transport equipment operatives",
    (740, 796): "laborers, except farm",
    (801, 806): "farmers and farm managers",
    (821, 846): "farm laborers and farm foremen",
    (901, 976): "service workers, except private household",
    (980, 986): "private household workers",
}
CENSUS_1990: Ranges = {  # of 1980 as well, and of the codes that follow them
    (1, 42): "executive, administrative, and managerial",
    (43, 202): "professional specialty",
    (203, 242): "technicians and related support",
    (243, 302): "sales",
    (303, 402): "administrative support",
    (403, 412): "private household and cleaning",
    (413, 432): "protective service",
    (433, 472): "other service",
    (473, 502): "farming, forestry, and fishing",
    (503, 557): "mechanics and repairers",
    (558, 612): "construction trades",
    (613, 627): "extractive",
    (628, 702): "precision production",
    (703, 802): "machine operators, assemblers, and inspectors",
    (803, 902): "transportation, material moving, and laborers",
    (903, 905): "armed forces",
}
CENSUS_2000S: Ranges = {  # the major groups of the Standard Occupational Classification, of 2002, 2010 and 2018
    (10, 440): "11",
    (500, 960): "13",
    (1000, 1240): "15",
    (1300, 1560): "17",
    (1600, 1980): "19",
    (2000, 2060): "21",
    (2100, 2180): "23",
    (2200, 2555): "25",
    (2600, 2970): "27",
    (3000, 3550): "29",
    (3600, 3655): "31",
    (3700, 3960): "33",
    (4000, 4160): "35",
    (4200, 4255): "37",
    (4300, 4655): "39",
    (4700, 4965): "41",
    (5000, 5940): "43",
    (6000, 6130): "45",
    (6200, 6950): "47",
    (7000, 7640): "49",
    (7700, 8990): "51",
    (9000, 9760): "53",
    (9800, 9840): "55",
}
SOC: Mapping[str, str] = {  # titles of its major groups; that of 25 is of 2018
    "11": "management",
    "13": "business and financial operations",
    "15": "computer and mathematical",
    "17": "architecture and engineering",
    "19": "life, physical, and social science",
    "21": "community and social service",
    "23": "legal",
    "25": "educational instruction and library",
    "27": "arts, design, entertainment, sports, and media",
    "29": "healthcare practitioners and technical",
    "31": "healthcare support",
    "33": "protective service",
    "35": "food preparation and serving related",
    "37": "building and grounds cleaning and maintenance",
    "39": "personal care and service",
    "41": "sales and related",
    "43": "office and administrative support",
    "45": "farming, fishing, and forestry",
    "47": "construction and extraction",
    "49": "installation, maintenance, and repair",
    "51": "production",
    "53": "transportation and material moving",
    "55": "military specific",
}
ISCO_88: Mapping[str, str] = {
    "0": "armed forces",
    "1": "legislators, senior officials and managers",
    "2": "professionals",
    "3": "technicians and associate professionals",
    "4": "clerks",
    "5": "service workers and shop and market sales workers",
    "6": "skilled agricultural and fishery workers",
    "7": "craft and related trades workers",
    "8": "plant and machine operators and assemblers",
    "9": "elementary occupations",
}
GROUPS: Mapping[str, Ranges] = {
    "census1970": CENSUS_1970,
    "census1980": CENSUS_1990,
    "census1990": CENSUS_1990,
    "occ1990": CENSUS_1990,
    "occ1990dd": CENSUS_1990,
    "census2002": CENSUS_2000S,
    "census2010": CENSUS_2000S,
    "census2018": CENSUS_2000S,
}


def group_of(coding: str, code: int) -> str:
    """The major group of a code; the code itself where no range holds it."""
    for (first, last), group in GROUPS[coding].items():
        if first <= code <= last:
            return group
    return str(code)
