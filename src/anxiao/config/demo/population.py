"""The people of a university: its tree, its dormitories, who studies and works where.  Pure but for the ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random

from anxiao.config.demo import words
from anxiao.config.demo.shape import DEPARTMENTS, Shape
from anxiao.directory.names import Audience, OrganisationKind, PlaceKind

CLASS_SIZE = 40
CLASSES_OF_A_COUNSELLOR = 5
STAFF_SHARE, FEWEST_STAFF = 0.08, 14
CLASSES_OF_A_COLLEGE = 12
BEDS, FLOORS = 6, 6
LIVE_IN = 0.96

TakeId = Callable[[], int]


@dataclass(slots=True)
class Node:
    id: int
    kind: OrganisationKind
    parent_id: int
    path: str
    name: str
    grade: str = ""


@dataclass(slots=True)
class Spot:
    id: int
    kind: PlaceKind
    parent_id: int | None
    path: str
    name: str


@dataclass(slots=True)
class Human:
    id: int
    number: str
    name: str
    sex: str
    phone: str
    audience: Audience
    category: str
    node: Node
    since: date
    room: Spot | None = None
    bed: str = ""


@dataclass(slots=True)
class University:
    """One university with everybody in it."""

    shape: Shape
    school_id: int
    name: str
    node_id: int
    path: str
    nodes: list[Node] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)
    students: list[Human] = field(default_factory=list)
    staff: list[Human] = field(default_factory=list)
    counsellor_of: dict[int, Human] = field(default_factory=dict)
    """By id of the class."""
    head_of: dict[int, Human] = field(default_factory=dict)

    @property
    def classes(self) -> list[Node]:
        return [n for n in self.nodes if n.kind is OrganisationKind.CLASS]

    @property
    def people(self) -> list[Human]:
        return self.students + self.staff

    def staff_of(self, name: str) -> list[Human]:
        """Staff of the college or department of this name."""
        return [h for h in self.staff if h.node.name == name]


@dataclass(slots=True)
class Takers:
    """Where ids come from."""

    organisation: TakeId
    place: TakeId
    person: TakeId


def populate(
    shape: Shape,
    *,
    school_id: int,
    name: str,
    node_id: int,
    path: str,
    people: int,
    today: date,
    seed: int,
    ids: Takers,
) -> University:
    """Invent a university of about ``people`` people."""
    chance = words.stream(seed, f"people/{shape.code}")
    university = University(shape, school_id, name, node_id, path)
    staff_count = max(FEWEST_STAFF if shape.prefix else 4, round(people * STAFF_SHARE))
    student_count = max(20, people - staff_count)
    colleges = _tree(university, student_count, today, ids)
    _employ(university, colleges, staff_count, chance, ids)
    _enrol(university, student_count, today, chance, ids)
    _appoint(university, colleges)
    _house(university, chance, ids)
    return university


def _grow(
    university: University, kind: OrganisationKind, name: str, parent: Node | None, ids: Takers, grade: str = ""
) -> Node:
    parent_id, parent_path = (parent.id, parent.path) if parent else (university.node_id, university.path)
    node_id = ids.organisation()
    node = Node(node_id, kind, parent_id, f"{parent_path}.{node_id}", name, grade)
    university.nodes.append(node)
    return node


def _tree(university: University, students: int, today: date, ids: Takers) -> list[Node]:
    """Colleges, departments, and classes dealt out over colleges, grades and subjects."""
    shape = university.shape
    wanted = max(2, round(students / CLASS_SIZE))
    names = list(shape.colleges)[: max(2, min(len(shape.colleges), round(wanted / CLASSES_OF_A_COLLEGE)))]
    colleges = [_grow(university, OrganisationKind.COLLEGE, name, None, ids) for name in names]
    for name in DEPARTMENTS:
        _grow(university, OrganisationKind.DEPARTMENT, name, None, ids)
    newest = today.year if today.month >= 9 else today.year - 1
    grades = [f"{(newest - back) % 100:02d}级" for back in range(shape.grades)]
    for i in range(wanted):
        college = colleges[i % len(colleges)]
        i //= len(colleges)
        grade = grades[i % len(grades)]
        i //= len(grades)
        subjects = shape.colleges[college.name]
        # one class in twelve is of graduates; the others carry running numbers within their subject
        if not shape.vocational and i % 3 == 2 and grade in grades[:2]:
            title = f"{subjects[i % len(subjects)]}研{i // 3 + 1}班"
        else:
            title = f"{subjects[i % len(subjects)]}{i // len(subjects) + 1}班"
        _grow(university, OrganisationKind.CLASS, title, college, ids, grade)
    return colleges


def _employ(university: University, colleges: Sequence[Node], count: int, chance: Random, ids: Takers) -> None:
    """Staff: first those whom counselling and the demo accounts need, then colleges and departments by chance."""
    departments = [n for n in university.nodes if n.kind is OrganisationKind.DEPARTMENT]
    first = [colleges[0]] * 5 + departments[:5] + [c for c in colleges[1:] for _ in range(2)] + departments[5:]
    for i in range(count):
        if i < len(first):
            node = first[i]
        else:
            node = chance.choice(departments) if chance.random() < 0.3 else chance.choice(colleges)
        sex = chance.choice("MF")
        category, person_name, phone = "内地教职工", words.name(chance, sex), ""
        draw = chance.random()
        if i >= len(first):
            if draw < 0.006:
                category, person_name = "外籍教职工", words.foreign_name(chance, sex)
                phone = words.foreign_phone(chance) if chance.random() < 0.5 else ""
            elif draw < 0.012:
                category, phone = "港澳台教职工", words.greater_china_phone(chance)
            elif draw < 0.05:
                category = "离退休"
        person_id = ids.person()
        university.staff.append(
            Human(
                person_id,
                f"{i + 1:05d}",
                person_name,
                sex,
                phone or words.phone(person_id),
                Audience.STAFF,
                category,
                node,
                date(2021, 9, 1),
            )
        )


def _enrol(university: University, count: int, today: date, chance: Random, ids: Takers) -> None:
    classes = university.classes
    sizes = [count // len(classes) + (1 if i < count % len(classes) else 0) for i in range(len(classes))]
    for i in range(0, len(sizes) - 1, 2):  # no two classes alike, the sum as asked
        shift = chance.randint(0, min(4, sizes[i] // 8))
        sizes[i] -= shift
        sizes[i + 1] += shift
    numbers: dict[str, int] = {}
    for class_, size in zip(classes, sizes, strict=True):
        year = 2000 + int(class_.grade[:2])
        usual = "专科生" if university.shape.vocational else "研究生" if "研" in class_.name else "本科生"
        for _ in range(size):
            sex = chance.choice("MF")
            category, person_name, phone = usual, words.name(chance, sex), ""
            draw = chance.random()
            if draw < 0.008:
                category, person_name = "留学生", words.foreign_name(chance, sex)
                phone = words.foreign_phone(chance) if chance.random() < 0.6 else ""
            elif draw < 0.013:
                category, phone = "港澳台学生", words.greater_china_phone(chance)
            numbers[class_.grade] = numbers.get(class_.grade, 0) + 1
            person_id = ids.person()
            university.students.append(
                Human(
                    person_id,
                    f"P{year}{numbers[class_.grade]:05d}",
                    person_name,
                    sex,
                    phone or words.phone(person_id),
                    Audience.STUDENT,
                    category,
                    class_,
                    min(date(year, 9, 1), today),
                )
            )


def _appoint(university: University, colleges: Sequence[Node]) -> None:
    """A counsellor for about two hundred students of a college, and a head for each class."""
    staff_by_node: dict[int, list[Human]] = {}
    for human in university.staff:
        staff_by_node.setdefault(human.node.id, []).append(human)
    for college in colleges:
        own = [c for c in university.classes if c.parent_id == college.id]
        staff = staff_by_node.get(college.id) or university.staff[:5]
        counsellors = -(-len(own) // CLASSES_OF_A_COUNSELLOR)
        for i, class_ in enumerate(own):
            university.counsellor_of[class_.id] = staff[(i // CLASSES_OF_A_COUNSELLOR) % len(staff)]
            # heads are other people, as far as the college has others
            university.head_of[class_.id] = staff[(counsellors + i) % len(staff)]


def _house(university: University, chance: Random, ids: Takers) -> None:
    """Campuses, buildings, floors, rooms; classes live together, men and women apart, a few live in town."""
    rooms_on_a_floor = 10 if len(university.students) < 5_000 else 24
    in_building = FLOORS * rooms_on_a_floor * BEDS
    campuses = [_raise(university, PlaceKind.CAMPUS, name, None, ids) for name in university.shape.campuses]
    for sex, garden in (("F", "梅园"), ("M", "松园")):
        waiting = [h for h in university.students if h.sex == sex and chance.random() < LIVE_IN]
        waiting.sort(key=lambda h: (h.node.parent_id, h.node.id))
        buildings = -(-len(waiting) // in_building)
        for b in range(buildings):
            campus = campuses[b * len(campuses) // buildings]
            building = _raise(university, PlaceKind.BUILDING, f"{garden}{b + 1}号楼", campus, ids)
            for f in range(1, FLOORS + 1):
                start = b * in_building + (f - 1) * rooms_on_a_floor * BEDS
                guests = waiting[start : start + rooms_on_a_floor * BEDS]
                if not guests:
                    break
                floor = _raise(university, PlaceKind.FLOOR, f"{f}层", building, ids)
                for r in range(0, len(guests), BEDS):
                    room = _raise(university, PlaceKind.ROOM, f"{f}{r // BEDS + 1:02d}室", floor, ids)
                    for bed, human in enumerate(guests[r : r + BEDS], 1):
                        human.room, human.bed = room, str(bed)


def _raise(university: University, kind: PlaceKind, name: str, parent: Spot | None, ids: Takers) -> Spot:
    place_id = ids.place()
    path = f"{parent.path}.{place_id}" if parent else str(place_id)
    spot = Spot(place_id, kind, parent.id if parent else None, path, name)
    university.spots.append(spot)
    return spot


@dataclass(frozen=True, slots=True)
class Stage:
    """The people and places of a university that the demo's story is about."""

    class_: Node
    roles: Mapping[str, Human]
    """By ending of the account's name: ``counsellor``, ``student`` ..."""
    building: Spot
    floor: Spot
    neighbours: tuple[Human, ...]
    """Everybody on that floor, the demo student left out."""


def set_stage(university: University) -> Stage:
    """Choose the class and the dormitory floor of the story, and who stands behind which demo account."""
    class_ = university.classes[0]
    by_id = {s.id: s for s in university.spots}
    mates = [h for h in university.students if h.node is class_]
    housed = [h for h in mates if h.room and h.sex == "M"] or [h for h in university.students if h.room]
    floors: dict[int, int] = {}
    for human in housed:
        floor_id = human.room.parent_id if human.room else None
        if floor_id is not None:
            floors[floor_id] = floors.get(floor_id, 0) + 1
    floor = by_id[max(floors, key=lambda k: (floors[k], -k))]
    building = by_id[floor.parent_id or floor.id]
    student = next((h for h in mates if h.category in ("本科生", "专科生", "研究生")), mates[0])
    counsellor = university.counsellor_of[class_.id]
    counselling = {h.id for h in university.counsellor_of.values()}
    college = [h for h in university.staff if h.node.id == class_.parent_id and h is not counsellor]
    college.sort(key=lambda h: h.id in counselling)  # those who counsel other classes come last
    roles = {
        "school": university.staff_of(DEPARTMENTS[1])[0],
        "officer": university.staff_of(DEPARTMENTS[0])[0],
        "college": college[1],
        "counsellor": counsellor,
        "classhead": college[0],
        "dorm": university.staff_of(DEPARTMENTS[4])[0],
        "doctor": university.staff_of(DEPARTMENTS[2])[0],
        "security": university.staff_of(DEPARTMENTS[3])[0],
        "student": student,
        "staff": college[2],
    }
    university.head_of[class_.id] = roles["classhead"]
    neighbours = tuple(h for h in university.students if h.room and h.room.parent_id == floor.id and h is not student)
    return Stage(class_, roles, building, floor, neighbours)
