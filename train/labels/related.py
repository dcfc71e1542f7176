"""Which labels a recording of one label may also deserve.

A clip filed under one name is no evidence against that name's parents, nor against sounds that come with it: a clip of
"Child speech" is no negative of "Speech". Such labels are *unsure*: their loss is left out (or left to the teacher).
"""

from functools import cache

_GROUPS: tuple[tuple[str, ...], ...] = (
    # Any two names of a group are unsure of each other.
    ("Shout", "Yell", "Screaming", "Children shouting"),
    ("Crying, sobbing", "Baby cry, infant cry", "Whimper"),
    ("Laughter", "Baby laughter"),
    ("Singing", "Choir", "Humming", "Music"),
    ("Canidae, dogs, wolves", "Dog", "Howl", "Wild animals"),
    ("Horse", "Neigh, whinny", "Livestock, farm animals, working animals"),
    ("Vehicle horn, car horn, honking", "Air horn, truck horn", "Traffic noise, roadway noise"),
    ("Train", "Train horn", "Train whistle", "Railroad car, train wagon", "Subway, metro, underground"),
    ("Siren", "Civil defense siren", "Police car (siren)", "Alarm", "Car alarm"),
    ("Telephone", "Telephone bell ringing", "Alarm", "Buzzer"),
    ("Alarm", "Alarm clock", "Buzzer", "Reversing beeps", "Bell"),
    ("Bell", "Chime", "Doorbell", "Wind chime", "Jingle, tinkle", "Tuning fork"),
    ("Rain", "Thunderstorm", "Thunder"),
    ("Thunder", "Rumble", "Explosion"),
    ("Stream", "Waterfall", "Gurgling", "Splash, splatter"),
    ("Water tap, faucet", "Sink (filling or washing)", "Pour", "Splash, splatter"),
    ("Waves, surf", "Splash, splatter"),
    ("Steam", "Hiss", "Sizzle", "Spray", "Static"),
    ("Boiling", "Steam", "Gurgling"),
    ("Fire", "Crackle"),
    ("Explosion", "Gunshot, gunfire", "Machine gun", "Artillery fire", "Burst, pop", "Fireworks"),
    ("Engine", "Engine starting", "Truck", "Boat, Water vehicle", "Mechanisms", "Traffic noise, roadway noise"),
    ("Power tool", "Drill", "Sanding", "Electric shaver, electric razor"),
    ("Sanding", "Sawing", "Scrape"),
    ("Mechanisms", "Mechanical fan", "Whir", "Ratchet, pawl", "Printer", "Pump (liquid)", "Camera"),
    ("Hair dryer", "Mechanical fan", "Whir"),
    ("Door", "Slam", "Sliding door", "Creak", "Squeak", "Cupboard open or close", "Drawer open or close"),
    ("Smash, crash", "Shatter", "Clang", "Crushing", "Thump, thud"),
    ("Chink, clink", "Dishes, pots, and pans", "Cutlery, silverware", "Coin (dropping)", "Shatter"),
    ("Coin (dropping)", "Jingle, tinkle", "Keys jangling"),
    ("Thump, thud", "Slam", "Bouncing", "Slap, smack", "Knock", "Hammer"),
    ("Wood", "Chop", "Crack", "Hammer", "Wood block"),
    ("Crack", "Crackle", "Whip", "Burst, pop"),
    ("Crumpling, crinkling", "Tearing", "Rustling leaves", "Crushing"),
    ("Typing", "Computer keyboard"),
    ("Applause", "Clapping", "Cheering", "Crowd"),
    ("Crowd", "Hubbub, speech noise, speech babble", "Speech", "Shout", "Laughter", "Children shouting"),
    ("Breathing", "Gasp", "Sigh", "Snoring"),
    ("Drinking, sipping", "Gargling", "Gurgling"),
    ("Whistle", "Whistling"),
    ("Squeal", "Tire squeal", "Squeak"),
    ("Whoosh, swoosh, swish", "Arrow", "Whip", "Wind"),
    ("Static", "Mains hum"),
    ("Gong", "Cymbal"),
)

_PARENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # The first name is unsure where one of the others sounds; the other way round only where a group says so.
    ("Speech", ("Singing", "Shout", "Yell", "Screaming", "Whimper", "Crying, sobbing", "Baby laughter")),
    (
        "Wild animals",
        (
            "Roaring cats (lions, tigers)",
            "Owl",
            "Crow",
            "Frog",
            "Insect",
            "Cricket",
            "Snake",
            "Bird vocalization, bird call, bird song",
            "Goose",
            "Pigeon, dove",
            "Rodents, rats, mice",
        ),
    ),
    (
        "Livestock, farm animals, working animals",
        ("Cattle, bovinae", "Sheep", "Pig", "Goat", "Cluck", "Crowing, cock-a-doodle-doo", "Goose"),
    ),
    (
        "Bird vocalization, bird call, bird song",
        ("Crow", "Owl", "Pigeon, dove", "Goose", "Cluck", "Crowing, cock-a-doodle-doo"),
    ),
    ("Insect", ("Cricket", "Mosquito", "Bee, wasp, etc.")),
    ("Mosquito", ("Insect",)),
    ("Bee, wasp, etc.", ("Insect",)),
    (
        "Engine",
        (
            "Chainsaw",
            "Train",
            "Subway, metro, underground",
            "Helicopter",
            "Power tool",
            "Bicycle",
            "Fixed-wing aircraft, airplane",
        ),
    ),
    ("Power tool", ("Chainsaw", "Sawing")),
    ("Mechanisms", ("Washing machine", "Tick", "Blender")),
    ("Bell", ("Church bell", "Cowbell", "Gong", "Telephone bell ringing", "Bicycle")),
    ("Whistle", ("Train whistle",)),
    ("Door", ("Knock", "Doorbell", "Keys jangling")),
    ("Wood", ("Creak", "Sawing", "Knock")),
    ("Snoring", ("Dog",)),
    ("Dog", ("Snoring", "Whimper")),
    ("Tick", ("Ratchet, pawl", "Typing")),
    ("Clicking", ("Camera", "Typing", "Ratchet, pawl")),
    ("Wind", ("Rustling leaves",)),
    ("Rustling leaves", ("Wind",)),
    ("Drip", ("Rain",)),
    ("Rain", ("Waterfall", "Stream")),
    ("Speech", ("Telephone", "Sneeze", "Cough")),
    ("Music", ("Didgeridoo", "Wind chime", "Bell", "Chime", "Church bell", "Jingle, tinkle")),
)

_IMPLIED: dict[str, tuple[str, ...]] = {
    "Child speech, kid speaking": ("Speech",),
    "Children shouting": ("Shout",),
    "Police car (siren)": ("Siren",),
    "Neigh, whinny": ("Horse",),
    "Machine gun": ("Gunshot, gunfire",),
    "Telephone bell ringing": ("Telephone",),
}

_INSTRUMENTS = (
    "Choir", "Cymbal", "Didgeridoo", "Double bass", "Flute", "Gong", "Guitar", "Piano", "Sitar", "Tabla", "Tambourine",
    "Theremin", "Wood block", "Cowbell", "Tuning fork", "Bell", "Chime", "Jingle, tinkle", "Humming", "Singing",
)  # fmt: skip


def implied(name: str) -> tuple[str, ...]:
    """Return the labels that are certainly right where `name` is."""
    return _IMPLIED.get(name, ())


@cache
def unsure_with(name: str) -> frozenset[str]:
    """Return the labels of which a recording of `name` says neither yes nor no."""
    unsure: set[str] = set()
    for group in _GROUPS:
        if name in group:
            unsure.update(group)
    for parent, children in _PARENTS:
        if name in children:
            unsure.add(parent)
    if name == "Music":
        unsure.update(_INSTRUMENTS)
    elif name in _INSTRUMENTS:
        unsure.add("Music")
    return frozenset(unsure - {name, *implied(name)})
