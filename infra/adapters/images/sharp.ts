import sharp from "sharp";

// One thread each, since the image threads use all cores. No cache: no picture comes twice.
sharp.concurrency(1);
sharp.cache(false);

/** sharp, set up for the image threads. */
export const openSharp = sharp;

/** Names and versions of the encoders, as recorded in a lake's settings. */
export const CODEC_VERSION: string = (() => {
	const versions = sharp.versions;
	const parts = [
		["sharp", versions.sharp],
		["libvips", versions.vips],
		["libwebp", versions.webp],
		["mozjpeg", versions.mozjpeg],
		["libpng", versions.png],
		["zlib-ng", versions["zlib-ng"]],
		["libheif", versions.heif],
		["libaom", versions.aom],
	];
	return parts.flatMap(([name, version]) => (version === undefined ? [] : [`${name} ${version}`])).join(", ");
})();
