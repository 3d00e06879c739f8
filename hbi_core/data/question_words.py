"""The words that questions are made of: closed lists, written for captions of photographs."""

from __future__ import annotations


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def _named(listed: str) -> dict[str, str]:
    """Groups of words that are called by their first one, or by what stands before a colon."""
    named: dict[str, str] = {}
    for group in listed.split(";"):
        name, colon, words = group.strip().rpartition(":")
        own = words.split()
        named |= dict.fromkeys(own, name if colon else own[0])
    return named


PEOPLE = _named("""
    man guy gentleman male businessman cowboy fisherman; woman lady bride; boy; girl;
    child kid toddler baby infant; person adult someone
""")
PEOPLE_PLURAL = _named("""
    man: men guys gentlemen; woman: women ladies; boy: boys; girl: girls;
    child: children kids toddlers babies; person: people adults persons
""")
GROUPS = _words("""
    group crowd couple family team others players band spectators audience pack friends them
    parade lot bunch herd flock other another several many some each
""")
# What is said of a child may be said of a boy: the general word -> what it may stand for.
GENERAL = {
    "person": {"man", "woman", "boy", "girl", "child"},
    "child": {"boy", "girl"},
}
ANIMALS = _named("""
    dog puppy greyhound poodle retriever labrador dachshund collie terrier; horse pony;
    bird seagull duck pigeon eagle hawk goose swan parrot; cat kitten; cow bull calf; sheep lamb;
    goat; camel; elephant; monkey; fish; deer; rabbit bunny; squirrel; turtle; fox; bear; lizard
""")
ANIMALS_PLURAL = _named("""
    dog: dogs puppies greyhounds; horse: horses ponies;
    bird: birds seagulls ducks pigeons geese swans; cat: cats kittens; cow: cows bulls;
    goat: goats; camel: camels; elephant: elephants; monkey: monkeys
""")
# "a dog sled" is no dog, and "a hot dog" is none.
NOT_BEFORE = _words("""
    sled sleds park show race track house collar toy food bowl costume hat statue mask back suit
    bath feeder drawn tail balloon walker
""")
NOT_BEHIND = _words("hot stuffed toy inflatable mechanical rocking plastic bronze")
PLURAL = {
    "man": "men",
    "woman": "women",
    "child": "children",
    "person": "people",
    "sheep": "sheep",
    "fish": "fish",
    "deer": "deer",
}
NUMBERS = _named("one 1 single lone; two 2 both; three 3; four 4; five 5; six 6")
COUNTED = ("one", "two", "three", "four", "five", "six")
COLOURS = _named("""
    black; white; brown; red; blue; yellow; green; orange; pink; purple; gray grey; tan beige;
    golden gold; silver
""")
ARTICLES = {"a", "an", "the", "his", "her", "its", "their", "some", "another"}
# Adjectives, and nouns that stand before a noun, beside which its colour or number stands.
DESCRIBING = _words("""
    small large big little tiny huge young old older elderly long short tall dark light bright
    wet dry fluffy furry hairy shaggy colored coloured colorful striped plaid plain pretty
    beautiful happy cute bald bearded blond blonde haired asian african american white-haired
    middle aged smiling shirtless muddy dirty snowy wooden plastic metal stuffed inflatable toy
    tennis soccer basketball baseball rubber leather denim winter sleeved sleeve sleeveless
    hooded knit button up cowboy straw sun hard ski dirt mountain motor acoustic electric video
    digital cell rope tree park stone brick high low steep rocky grassy sandy shallow swimming
    very medium-sized sized short-sleeved t matching skinny fast two-toned multicolored
    light-colored dark-haired red-haired curly pigtailed lone single open own full
""")
GARMENTS = _named("""
    shirt t-shirt tshirt tee blouse; jacket coat windbreaker parka; sweater sweatshirt hoodie;
    dress gown; hat cap beanie; helmet; shorts; pants jeans trousers; suit tuxedo; uniform;
    jersey; costume; vest; skirt; scarf; goggles; sunglasses; glasses; mask; wetsuit;
    swimsuit bikini; backpack; headphones; boots; gloves; hood
""")
THINGS = _named("""
    ball football basketball baseball; frisbee disc; stick branch twig; toy; bike bicycle;
    motorcycle motorbike; unicycle; scooter; skateboard; snowboard;
    surfboard bodyboard boogieboard; wave waves; horse bull camel elephant; skis; sled; tube;
    raft; kayak canoe; boat sailboat; car truck vehicle; cart wagon stroller; rope ropes vine;
    swing; slide; bench; couch sofa; chair seat; table; bed; stairs steps staircase;
    rock rocks boulder; cliff; wall; mountain; tree trees; log; fence; hurdle bar obstacle;
    rail railing; ramp; trampoline; pole; ladder; tire; hoop; guitar; drum drums; microphone;
    camera; phone cellphone telephone; book; newspaper paper magazine; sign; flag flags;
    umbrella; balloon balloons; bubbles; cup mug glass; bottle; beer; drink; cigarette;
    bag bags purse; flower flowers; fish; food; cake; apple; hotdog;
    racket racquet; bat; gun rifle; sword; baby; dog puppy; cat; bird; rabbit;
    towel blanket cloth; shoe; leash; hose; sprinkler
""")
PLACES = _named("""
    snow; water; beach shore seashore shoreline; sand; ocean sea surf; lake pond;
    river stream creek; pool; grass lawn; field meadow pasture; park; playground; street road;
    sidewalk pavement; woods forest; mountain mountains mountaintop; track racetrack; trail path;
    yard backyard; mud puddle; ice; desert; stage; couch sofa; bed; bench; swing; slide;
    trampoline; stairs steps; fountain; boat; bridge; restaurant; kitchen; court; dock pier;
    subway; rock rocks boulder; cliff; ramp; wall
""")
# Where one of a line is, the others may be too: they are no contradiction.
NEIGHBOURS = (
    {"water", "ocean", "lake", "river", "pool", "mud", "fountain", "boat", "dock"},
    {"beach", "sand", "ocean", "water"},
    {"grass", "field", "park", "yard", "playground"},
    {"playground", "swing", "slide", "park"},
    {"street", "sidewalk"},
    {"woods", "trail", "mountain"},
    {"mountain", "rock", "cliff", "snow", "trail"},
    {"snow", "field", "ice", "mountain", "woods", "yard"},
)
PLACE_PREPOSITIONS = _words("in on at through along across into onto inside near by over")
NO_SPORT_BEFORE = {"cap", "caps", "hat", "bat", "jacket", "shirt"}  # "a baseball cap"
SPORTS = _named("""
    soccer; football; basketball; tennis; baseball; volleyball; hockey; rugby;
    surfing surfer surfs surfboard; skateboarding skateboarder skateboard skateboards;
    snowboarding snowboarder snowboard snowboards; skiing skier skis skiers;
    climbing: climber climbers; cycling: cyclist bicyclist cyclists bicyclists bmx biker bikers;
    motocross motorcyclist; swimming: swimmer swimmers; kayaking kayak kayaker canoe;
    wrestling: wrestlers; fishing fisherman; gymnastics gymnast
""")
_DOING = _words("""
    run jump play swim ride walk sit stand climb sleep dance sing eat drink read skate surf ski
    slide swing fish dig wrestle fight leap splash pose lie crawl hike kneel paddle sail dive
    wade race bark roll chew talk smoke wave clap hug kiss laugh drive work shop
""")
_DOUBLED = _words("run swim sit dig hug clap shop")
_ENDING = {"lie": "lying", "ski": "skiing"}


def _gerund(verb: str) -> str:
    if verb in _ENDING:
        return _ENDING[verb]
    stem = verb + verb[-1] if verb in _DOUBLED else verb.removesuffix("e")
    return stem + "ing"


def _forms(verb: str) -> tuple[str, str]:
    """The third person and the gerund: "runs", "running"."""
    ends = verb.endswith(("ss", "sh", "ch"))
    return verb + ("es" if ends else "s"), _gerund(verb)


DOING = {form: _gerund(verb) for verb in _DOING for form in (*_forms(verb), verb)}
DOING |= {"laying": "lying", "lays": "lying", "leaps": "jumping", "leaping": "jumping"}
DOING |= {"leap": "jumping", "snowboarding": "snowboarding", "skateboarding": "skateboarding"}
BASES = set(_DOING)  # which are nouns too: "a run"
# "a swimming pool" says nothing about what is done.
AFTER_GERUND = _words("""
    pool suit suits board wall pole shoes shorts trunks gear room rink area costume match race
    track ring dress bike bikes rod boat boats chair bag cart book
""")
ON_OBJECTS = {  # verb -> what may stand between it and its object
    "ride": {"on"},
    "hold": {"up", "onto"},
    "carry": set(),
    "throw": set(),
    "catch": set(),
    "kick": set(),
    "chase": {"after"},
    "climb": {"up", "on", "over", "onto", "down"},
    "eat": set(),
    "read": set(),
    "pull": {"on"},
    "push": set(),
    "bite": set(),
    "chew": {"on"},
}
WITH_PARTICLE = {  # verb and what must stand behind it
    ("play", "with"): "playing with",
    ("jump", "over"): "jumping over",
    ("leap", "over"): "jumping over",
    ("jump", "into"): "jumping into",
    ("sit", "on"): "sitting on",
    ("stand", "on"): "standing on",
    ("look", "at"): "looking at",
}
OBJECT_FORMS = {  # "riding" -> "ride"
    form: verb
    for verb in {verb for verb, _ in WITH_PARTICLE} | set(ON_OBJECTS)
    for form in (*_forms(verb), verb)
} | {"carries": "carry"}
OBJECT_NAMES = {verb: _gerund(verb) for verb in ON_OBJECTS}
