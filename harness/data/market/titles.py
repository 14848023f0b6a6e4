"""The market's state space: 330 titled occupations in 22 major groups, and three ways of not working.

A title is a specialty and a role, as in "Pediatric nurses". Words recur across groups ("Automotive engineers",
"Automotive mechanics"), and an occupation's attributes are made of its words, so titles that read alike behave alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from harness.panel.occupations import Occupations, Status

SPECIALTIES, ROLES = 5, 3
TRAITS = ("physical", "outdoor", "technical", "analytic", "creative", "social", "caring", "commercial")
EDUCATION = ("no diploma", "high school", "some college", "bachelor", "graduate")


@dataclass(frozen=True, slots=True)
class Group:
    """A major group of 15 occupations: every specialty with every role.

    traits: how much of each of ``TRAITS`` the work asks for, a digit 0-9 each. schooling: the usual position in
    ``EDUCATION``. share: rough weight in employment. women: tilt of tastes towards it, women minus men, in utils.
    youth: how much likelier it is at 16 than at 36, in utils.
    """

    code: str
    name: str
    specialties: str
    roles: str
    traits: str
    schooling: float
    share: float
    women: float
    youth: float

    @property
    def titles(self) -> list[str]:
        return [f"{s} {r}" for r in self.roles.split(", ") for s in self.specialties.split(", ")]


# fmt: off
GROUPS: tuple[Group, ...] = (
    Group("11", "Management", "Retail, Hospital, Construction, Restaurant, Marketing",
          "managers, directors, coordinators", "10243827", 2.2, 7.0, -0.1, -1.0),
    Group("13", "Business and finance", "Credit, Insurance, Tax, Payroll, Investment",
          "analysts, auditors, advisers", "00374316", 2.8, 5.0, 0.1, -0.8),
    Group("15", "Computing", "Software, Network, Database, Web, Cloud",
          "developers, administrators, support specialists", "00885212", 2.6, 4.0, -0.9, -0.5),
    Group("17", "Architecture and engineering", "Civil, Electrical, Mechanical, Automotive, Environmental",
          "engineers, drafters, engineering technicians", "23986111", 2.6, 2.5, -1.0, -0.5),
    Group("19", "Science", "Chemical, Biological, Agricultural, Marine, Environmental",
          "scientists, research assistants, laboratory technicians", "23795221", 3.0, 1.5, 0.0, -0.4),
    Group("21", "Community and social service", "Family, School, Addiction, Youth, Housing",
          "counselors, caseworkers, program aides", "11033990", 2.6, 2.5, 0.8, -0.4),
    Group("23", "Legal", "Criminal, Tax, Family, Property, Immigration",
          "lawyers, paralegals, court clerks", "00175523", 3.1, 1.5, 0.1, -0.6),
    Group("25", "Education", "Preschool, Elementary, Science, Music, Special education",
          "teachers, tutors, classroom aides", "11145970", 2.8, 5.5, 0.8, -0.1),
    Group("27", "Arts, media and sport", "Fashion, Film, Music, News, Sports",
          "producers, editors, photographers", "11429513", 2.3, 2.0, 0.0, 0.2),
    Group("29", "Healthcare practice", "Pediatric, Surgical, Emergency, Oncology, Cardiac",
          "nurses, physicians, technologists", "31662691", 3.0, 5.0, 0.9, -0.8),
    Group("31", "Healthcare support", "Nursing home, Dental, Home health, Physical therapy, Pharmacy",
          "aides, assistants, trainees", "41221591", 1.2, 4.0, 1.2, 0.1),
    Group("33", "Protective service", "Airport, Prison, Campus, Forest, Harbor",
          "guards, patrol officers, safety inspectors", "65322630", 1.4, 3.0, -0.8, 0.0),
    Group("35", "Food preparation and serving", "Restaurant, Cafeteria, Hotel, Banquet, Fast food",
          "cooks, servers, kitchen helpers", "41113524", 0.6, 9.0, 0.1, 1.5),
    Group("37", "Cleaning and grounds", "Hotel, Hospital, Office, School, Park",
          "cleaners, groundskeepers, janitorial supervisors", "75200211", 0.5, 4.5, -0.2, 0.5),
    Group("39", "Personal care", "Child care, Salon, Fitness, Pet care, Recreation",
          "workers, instructors, attendants", "42124864", 0.9, 4.0, 0.9, 0.8),
    Group("41", "Sales", "Retail, Insurance, Automotive, Real estate, Furniture",
          "sales agents, sales supervisors, cashiers", "11123729", 1.1, 10.0, 0.1, 0.9),
    Group("43", "Office support", "Hospital, Legal, Payroll, Insurance, Shipping",
          "clerks, secretaries, office supervisors", "00341434", 1.5, 11.0, 0.7, 0.1),
    Group("45", "Farming and forestry", "Dairy, Orchard, Poultry, Timber, Nursery",
          "laborers, graders, crew leaders", "89301011", 0.4, 1.5, -0.6, 0.4),
    Group("47", "Construction", "Carpentry, Electrical, Plumbing, Roofing, Masonry",
          "journey workers, apprentices, helpers", "98512101", 0.8, 6.0, -1.6, 0.2),
    Group("49", "Repair and maintenance", "Automotive, Aircraft, Elevator, Appliance, Marine",
          "mechanics, repair apprentices, service inspectors", "74821102", 1.1, 4.0, -1.5, 0.0),
    Group("51", "Production", "Metal, Textile, Furniture, Food processing, Electronics",
          "assemblers, machine operators, production supervisors", "82620001", 0.8, 6.0, -0.5, 0.0),
    Group("53", "Transport and moving", "Freight, Warehouse, Railroad, Airport, Bus",
          "drivers, loaders, dispatchers", "85311212", 0.8, 7.0, -0.9, 0.4),
)

# How a role departs from its group: schooling, seniority (what rises with age and with experience in the group), and
# weight within the group. Roles that are not named here do not depart.
ROLE_TRAITS: dict[str, tuple[float, float, float]] = {
    "managers": (0.0, 0.8, 0.5), "directors": (0.5, 1.1, -0.2), "coordinators": (-0.3, 0.1, 0.2),
    "auditors": (0.2, 0.4, 0.0), "advisers": (-0.2, 0.3, 0.0),
    "administrators": (-0.2, 0.3, 0.0), "support specialists": (-0.7, -0.1, 0.3),
    "engineers": (0.5, 0.3, 0.4), "drafters": (-0.4, 0.0, -0.2), "engineering technicians": (-0.7, 0.0, 0.2),
    "scientists": (0.7, 0.5, 0.2), "research assistants": (-0.3, -0.4, 0.2), "laboratory technicians": (-0.8, 0.0, 0.3),
    "counselors": (0.4, 0.3, 0.2), "program aides": (-0.8, -0.4, 0.0),
    "lawyers": (0.9, 0.6, 0.4), "paralegals": (-0.7, 0.1, 0.3), "court clerks": (-1.2, 0.0, 0.0),
    "teachers": (0.4, 0.5, 0.8), "tutors": (-0.3, -0.6, -0.3), "classroom aides": (-1.2, -0.3, 0.2),
    "producers": (0.1, 0.4, 0.0), "editors": (0.3, 0.2, 0.0), "photographers": (-0.4, -0.1, 0.0),
    "physicians": (1.0, 0.9, 0.0), "technologists": (-0.8, 0.0, 0.2),
    "aides": (-0.4, -0.1, 0.3), "trainees": (0.0, -0.8, -0.2),
    "patrol officers": (0.3, 0.3, 0.2), "safety inspectors": (0.4, 0.6, -0.4),
    "kitchen helpers": (-0.2, -0.5, 0.0), "servers": (0.1, -0.3, 0.5),
    "janitorial supervisors": (0.4, 0.8, -0.3), "cleaners": (-0.1, 0.0, 0.5),
    "instructors": (0.6, 0.2, 0.0), "attendants": (-0.2, -0.4, 0.1),
    "sales supervisors": (0.4, 0.8, 0.0), "cashiers": (-0.5, -0.6, 0.6),
    "office supervisors": (0.4, 0.9, -0.2), "secretaries": (0.1, 0.2, 0.1), "clerks": (-0.1, 0.0, 0.4),
    "crew leaders": (0.3, 0.8, -0.3), "journey workers": (0.2, 0.5, 0.4), "apprentices": (0.0, -0.7, 0.1),
    "helpers": (-0.3, -0.4, 0.2), "mechanics": (0.1, 0.3, 0.6), "repair apprentices": (-0.1, -0.7, -0.2),
    "service inspectors": (0.4, 0.7, -0.3), "production supervisors": (0.5, 0.9, -0.3),
    "drivers": (0.1, 0.2, 0.5), "loaders": (-0.2, -0.3, 0.3), "dispatchers": (0.5, 0.5, -0.4),
}
# fmt: on

N_JOBS = len(GROUPS) * SPECIALTIES * ROLES
UNEMPLOYED, SCHOOL, OUT = N_JOBS, N_JOBS + 1, N_JOBS + 2
NOT_WORKING = (
    ("UNEMP", "Unemployed", Status.UNEMPLOYED),
    ("SCHOOL", "In school", Status.EDUCATION),
    ("OUT", "Out of the labor force", Status.OUT),
)


def words(job: int) -> tuple[str, str]:
    """(specialty, role) of an occupation; occupations are in the order group, role, specialty."""
    group = GROUPS[job // (SPECIALTIES * ROLES)]
    role, specialty = divmod(job % (SPECIALTIES * ROLES), SPECIALTIES)
    return group.specialties.split(", ")[specialty], group.roles.split(", ")[role]


@cache
def occupations() -> Occupations:
    """The state space: occupations in the order of ``GROUPS``, then ``NOT_WORKING``; K = 333."""
    codes, titles, groups = [], [], []
    for group in GROUPS:
        for place, title in enumerate(group.titles):
            role, specialty = divmod(place, SPECIALTIES)
            codes.append(f"{group.code}-{role + 1}0{specialty + 1}1")
            titles.append(title)
            groups.append(group.name)
    return Occupations(
        codes=(*codes, *(code for code, _, _ in NOT_WORKING)),
        titles=(*titles, *(title for _, title, _ in NOT_WORKING)),
        groups=(*groups, *(code for code, _, _ in NOT_WORKING)),
        statuses=(*(Status.EMPLOYED for _ in titles), *(status for _, _, status in NOT_WORKING)),
    )
