import { LakeError } from "../../../schemas/errors.js";
import { type AskedSettings, DEFAULT_SETTINGS, type Settings } from "../../../schemas/settings.js";
import type { Dataset } from "../../dataset.js";

const LOSSY = new Set(["webp", "jpeg", "avif"]);
const DEFAULT_QUALITY = 90;

/**
 * The settings of a run: those asked for, else the lake's own, else the defaults.
 * Throws USAGE for a combination that means nothing, and SETTINGS_DIFFER where they are not the lake's.
 * @param codec name and version of what re-encodes in this release
 */
export function chooseSettings(
	asked: AskedSettings,
	lake: Settings | null,
	codec: string,
	newSettings: boolean,
): Settings {
	const own = lake ?? DEFAULT_SETTINGS;
	const image = asked.image ?? own.image;
	const sameImage = image === own.image;
	const lossy = LOSSY.has(image);
	if (asked.quality !== undefined && !lossy) {
		throw new LakeError("USAGE", `--quality means nothing with --image ${image}.`, {
			hint: "Give --quality with --image webp, jpeg or avif only.",
		});
	}
	if (asked.max_side !== undefined && image === "passthrough") {
		throw new LakeError("USAGE", "--max-side needs --image, as original bytes cannot be made smaller.", {
			hint: "Add --image webp-lossless, webp, jpeg, png or avif.",
		});
	}
	const quality = lossy ? (asked.quality ?? (sameImage ? own.quality : null) ?? DEFAULT_QUALITY) : null;
	const maxSide = image === "passthrough" ? null : (asked.max_side ?? (sameImage ? own.max_side : null));
	const settings: Settings = {
		image,
		quality,
		max_side: maxSide,
		verify: asked.verify ?? own.verify,
		on_bad_image: asked.on_bad_image ?? own.on_bad_image,
		...chooseWhere(asked, own),
		codec: image === "passthrough" ? null : sameImage && !newSettings ? (own.codec ?? codec) : codec,
	};
	const differ = lake ? settingsThatDiffer(settings, lake) : [];
	if (differ.length > 0 && !newSettings) {
		throw new LakeError("SETTINGS_DIFFER", `The settings asked for are not the lake's: ${differ.join("; ")}.`);
	}
	return settings;
}

/** Throws USAGE for a setting that means groups, of a dataset that has none. */
export function requireGroups(asked: AskedSettings, { title, group }: Pick<Dataset, "title" | "group">): void {
	if (group !== null) return;
	const meant = asked.on_bad_image === "drop-group" ? "--on-bad-image drop-group" : null;
	const option = asked.where_mode === "prompt" ? "--where-mode prompt" : meant;
	if (option === null) return;
	throw new LakeError("USAGE", `${option} means nothing here: the images of ${title} stand in no groups.`, {
		path: option,
		hint: "Leave it out.",
	});
}

/** A mode belongs to its predicate: with another one it is the default again. */
function chooseWhere(asked: AskedSettings, own: Settings): Pick<Settings, "where" | "where_mode"> {
	const where = asked.where === undefined ? own.where : asked.where || null;
	if (where !== null) {
		const ownMode = where === own.where ? own.where_mode : undefined;
		return { where, where_mode: asked.where_mode ?? ownMode ?? "image" };
	}
	if (asked.where_mode === undefined) return { where };
	throw new LakeError("USAGE", "--where-mode means nothing without --where.");
}

function settingsThatDiffer(asked: Settings, lake: Settings): string[] {
	const keys = Object.keys(asked) as (keyof Settings)[];
	const differ = keys.filter((key) => asked[key] !== lake[key]);
	// The codec follows from the image mode: it is worth naming only where nothing else differs.
	return differ
		.filter((key) => key !== "codec" || differ.length === 1)
		.map((key) => `${key} ${asked[key] ?? "none"}, the lake has ${lake[key] ?? "none"}`);
}
