/** The bench's plot: a bar for each contender, drawn as SVG. */

export interface Bar {
	label: string;
	/** Images per second: median, least, greatest. */
	median: number;
	min: number;
	max: number;
	ours: boolean;
}

const WIDTH = 720;
const LEFT = 190;
const RIGHT = 70;
const ROW = 34;
const TOP = 44;
const THICK = 18;

/** Colours that stand off from light and from dark; texts and lines follow the reader's scheme. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; }
  .line { stroke: #d0d7de; }
  .whisker { stroke: #24292f; stroke-width: 1.5; }
  .ours { fill: #2f81f7; }
  .theirs { fill: #8b949e; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .line { stroke: #30363d; }
    .whisker { stroke: #e6edf3; }
  }
`;

/** Bars by their order; each with its median as a number and a whisker from the least run to the greatest. */
export function barPlot(title: string, bars: Bar[]): string {
	const most = niceCeiling(Math.max(...bars.map(({ max }) => max)));
	const x = (value: number): number => round(LEFT + (value / most) * (WIDTH - LEFT - RIGHT));
	const bottom = TOP + bars.length * ROW;
	const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => share * most);
	const lines = ticks.flatMap((tick) => [
		`<line class="line" x1="${x(tick)}" y1="${TOP - 8}" x2="${x(tick)}" y2="${bottom}"/>`,
		`<text x="${x(tick)}" y="${bottom + 18}" text-anchor="middle">${round(tick)}</text>`,
	]);
	const drawn = bars.flatMap((bar, row) => drawBar(bar, TOP + row * ROW, x));
	return `${[
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 30}" role="img" aria-label="${escaped(title)}">`,
		`<style>${STYLE}</style>`,
		`<text class="title" x="8" y="20">${escaped(title)}</text>`,
		...lines,
		...drawn,
		"</svg>",
	].join("\n")}\n`;
}

function drawBar({ label, median, min, max, ours }: Bar, top: number, x: (value: number) => number): string[] {
	const middle = top + THICK / 2;
	return [
		`<text x="${LEFT - 8}" y="${middle + 4}" text-anchor="end">${escaped(label)}</text>`,
		`<rect class="${ours ? "ours" : "theirs"}" x="${LEFT}" y="${top}" width="${round(x(median) - LEFT)}" height="${THICK}" rx="2"/>`,
		`<line class="whisker" x1="${x(min)}" y1="${middle}" x2="${x(max)}" y2="${middle}"/>`,
		`<text x="${round(Math.max(x(max), x(median)) + 6)}" y="${middle + 4}">${median.toFixed(0)}</text>`,
	];
}

/** The next of 1, 2, 4 or 5 times a power of ten. */
function niceCeiling(value: number): number {
	const power = 10 ** Math.floor(Math.log10(value));
	return ([1, 2, 4, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

function round(value: number): number {
	return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
	return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
