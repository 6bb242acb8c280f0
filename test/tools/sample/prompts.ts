import type { Random } from "./random.js";

const list = (words: string) => words.split("|");

/** An open set in the dataset; these are the kinds that occur most. */
export const CLASSIFICATIONS = list(
	"People|Outdoor Scenes|Indoor Scenes|Animals|Plants|Food & Beverages|Vehicles|Arts|Artifacts|World Knowledge|Produce & Plants|Illustrations|Abstract|Architecture",
);

const SUBJECTS = list(
	"a lighthouse|a red fox|an old fisherman|a girl with a paper lantern|a steam locomotive|a cathedral of glass|a sleeping dragon|two astronauts|a violinist|a market square|a bowl of ramen|a hummingbird|a ruined castle|a samurai in the rain|a clockwork owl|a greenhouse|a portrait of an elderly woman|a white stag|a submarine|a desert caravan|a street in lisbon|an alchemist's laboratory|a waterfall|a cat on a windowsill|a field of poppies|a robot gardener|a hot air balloon|a viking longship|a bookshop at night|a snow leopard|a floating island|a tea ceremony|a jazz trio|a harbour with sailing boats|an orchid|a knight and a snail|a mountain village|a vintage motorcycle|a ballet dancer|a library without end|an octopus|a barn owl|a wooden bridge|a queen of autumn|a blacksmith|a carousel|a coral reef|a coffee cup|a wizard's tower|an abandoned factory|a child and a whale|a baroque garden|a meadow with wild horses|a space station|a tram|a bust of marble|a winter forest|a family dinner|a windmill|a raven",
);
const PLACES = list(
	"in the fog|at dawn|under two moons|beside a frozen lake|in a neon lit alley|at the edge of a cliff|in a sunlit kitchen|on a quiet beach|in deep space|during a thunderstorm|in an overgrown temple|above the clouds|in a narrow street|on the surface of mars|in a wheat field|behind a rainy window|at the bottom of the sea|in a hall of mirrors|among birch trees|by candlelight|in the old town|on a rooftop|in heavy snow|at the end of the world|in a cave of crystals|near the railway|under the northern lights|in a crowded café|on a chessboard|in an empty theatre",
);
const STYLES = list(
	"oil painting|watercolor|digital painting|charcoal sketch|ukiyo-e woodblock print|art nouveau poster|pixel art|35mm photograph|concept art|studio ghibli style|low poly render|stained glass|pencil drawing|matte painting|gouache illustration|polaroid|linocut|impressionist painting|isometric illustration|double exposure|fresco|comic book panel|claymation still|tintype photograph|pastel drawing|vector art",
);
const ARTISTS = list(
	"greg rutkowski|alphonse mucha|rembrandt|claude monet|katsushika hokusai|gustav klimt|caspar david friedrich|artgerm|john singer sargent|ivan aivazovsky|hieronymus bosch|edward hopper|hilma af klint|albrecht dürer|j. m. w. turner|norman rockwell|wlop|beksiński|moebius|ilya kuvshinov",
);
const EXTRAS = list(
	"highly detailed|8 k|octane render|trending on artstation|cinematic lighting|sharp focus|volumetric light|intricate details|soft shadows|golden hour|dramatic sky|muted colors|vivid colors|depth of field|wide angle|close up|symmetrical|bokeh|moody|ultra realistic|unreal engine 5|award winning|smooth|elegant|film grain|high contrast|minimalism|warm tones|cold palette|backlit|f / 1. 8|hdr|masterpiece|photorealistic|hyperdetailed|rim light|long exposure|rule of thirds|silhouette|iridescent|dreamy|epic composition|matte|sinister tones|4 k|fine details|pastel colors|studio light|texture of canvas|no text",
);

/** A prompt as people wrote them: a subject, a place, a style, and a tail of keywords; some with quotes, umlauts or a closing comma. */
export function makePrompt(random: Random): string {
	const subject = random.pick(SUBJECTS);
	const parts = [random.int(0, 3) === 0 ? subject : `${subject} ${random.pick(PLACES)}`];
	if (random.int(0, 2) > 0) parts.push(random.pick(STYLES));
	if (random.int(0, 2) === 0)
		parts.push(`by ${random.pick(ARTISTS)}${random.int(0, 1) ? ` and ${random.pick(ARTISTS)}` : ""}`);
	const extras = random.int(0, 9);
	for (let extra = 0; extra < extras; extra++) parts.push(random.pick(EXTRAS));
	const text = parts.join(random.int(0, 5) === 0 ? " | " : ", ");
	switch (random.int(0, 19)) {
		case 0:
			return `${text},`;
		case 1:
			return `"${text}" — 50 % sepia`;
		case 2:
			return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
		case 3:
			return `${text}, “été à la mer”, 夏の海 🌊`;
		default:
			return text;
	}
}
