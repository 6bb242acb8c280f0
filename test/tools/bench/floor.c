/*
 * The floor of the bench: what any mirror must compute for each image, and nothing else, on all cores.
 *
 *   floor [--threads N] [--out FILE] FOLDER...
 *
 * Reads every *.webp of the folders (the unpacked shards) and computes per image: SHA-256 of its bytes twice
 * (once as part of its zip, once as the member), CRC-32 of its bytes, libwebp's decoding to RGBA, SHA-256 of
 * the pixels behind width and height as little-endian uint32, and the dhash of the lake format.
 * Prints {"images", "bytes", "seconds", "images_per_second", "cpu_seconds", "threads"} on stdout; with --out
 * also a line `name pixel_sha256 dhash` for each image. Ends with 1 when a file cannot be read or decoded.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <webp/decode.h>
#include <zlib.h>

struct image {
	char *path;
	const char *name; /* last segment of path */
	unsigned char pixel_sha256[32];
	uint64_t dhash;
};

struct buffer {
	unsigned char *bytes;
	size_t room;
};

static struct image *images;
static size_t image_count, image_room;
static atomic_size_t next_image;
static atomic_ullong total_bytes;
static atomic_ulong crc_sum; /* keeps the compiler from dropping what nobody prints */
static atomic_uint digest_sum;

static void fail(const char *what, const char *path) {
	fprintf(stderr, "floor: %s: %s\n", what, path);
	exit(1);
}

static void need(struct buffer *buffer, size_t size) {
	if (buffer->room >= size) return;
	free(buffer->bytes);
	buffer->bytes = malloc(size);
	if (buffer->bytes == NULL) fail("no memory", "buffer");
	buffer->room = size;
}

static size_t read_file(const char *path, struct buffer *into) {
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct stat about;
	if (file < 0 || fstat(file, &about) != 0) fail("cannot open", path);
	size_t size = (size_t)about.st_size, have = 0;
	need(into, size);
	while (have < size) {
		ssize_t got = read(file, into->bytes + have, size - have);
		if (got <= 0) fail("cannot read", path);
		have += (size_t)got;
	}
	close(file);
	return size;
}

static void sha256(EVP_MD_CTX *context, const EVP_MD *kind, const void *head, size_t head_size, const void *body,
				   size_t body_size, unsigned char out[32]) {
	if (!EVP_DigestInit_ex(context, kind, NULL) || !EVP_DigestUpdate(context, head, head_size) ||
		!EVP_DigestUpdate(context, body, body_size) || !EVP_DigestFinal_ex(context, out, NULL))
		fail("cannot hash", "SHA-256");
}

static void cell_bounds(int cell, int cells, int size, int *start, int *end) {
	*start = (int)((int64_t)cell * size / cells);
	*end = (int)((int64_t)(cell + 1) * size / cells);
	if (*end < *start + 1) *end = *start + 1;
}

static uint64_t cell_mean(const uint8_t *rgba, int width, int left, int right, int top, int bottom) {
	uint64_t sum = 0;
	for (int y = top; y < bottom; y++) {
		const uint8_t *pixel = rgba + ((size_t)y * width + left) * 4;
		for (int x = left; x < right; x++, pixel += 4)
			sum += (299u * pixel[0] + 587u * pixel[1] + 114u * pixel[2] + 500u) / 1000u;
	}
	return sum / ((uint64_t)(right - left) * (uint64_t)(bottom - top));
}

static uint64_t dhash(const uint8_t *rgba, int width, int height) {
	uint64_t bits = 0;
	for (int row = 0; row < 8; row++) {
		int top, bottom, left, right;
		uint64_t means[9];
		cell_bounds(row, 8, height, &top, &bottom);
		for (int column = 0; column < 9; column++) {
			cell_bounds(column, 9, width, &left, &right);
			means[column] = cell_mean(rgba, width, left, right, top, bottom);
		}
		for (int column = 0; column < 8; column++) bits = bits << 1 | (means[column] > means[column + 1]);
	}
	return bits;
}

static void little_endian(uint32_t value, unsigned char out[4]) {
	for (int i = 0; i < 4; i++) out[i] = (unsigned char)(value >> (8 * i));
}

static void *work(void *nothing) {
	(void)nothing;
	struct buffer content = {0}, rgba = {0};
	EVP_MD *kind = EVP_MD_fetch(NULL, "SHA256", NULL);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	if (kind == NULL || context == NULL) fail("cannot hash", "SHA-256");
	for (;;) {
		size_t place = atomic_fetch_add(&next_image, 1);
		if (place >= image_count) break;
		struct image *image = &images[place];
		unsigned char digest[32], head[8];
		size_t size = read_file(image->path, &content);
		for (int twice = 0; twice < 2; twice++) {
			sha256(context, kind, NULL, 0, content.bytes, size, digest);
			atomic_fetch_add(&digest_sum, digest[0]);
		}
		atomic_fetch_add(&crc_sum, crc32(0, content.bytes, (uInt)size));
		int width, height;
		if (!WebPGetInfo(content.bytes, size, &width, &height)) fail("is no WebP", image->path);
		size_t pixels = (size_t)width * (size_t)height * 4;
		need(&rgba, pixels);
		if (WebPDecodeRGBAInto(content.bytes, size, rgba.bytes, pixels, width * 4) == NULL)
			fail("cannot decode", image->path);
		little_endian((uint32_t)width, head);
		little_endian((uint32_t)height, head + 4);
		sha256(context, kind, head, sizeof head, rgba.bytes, pixels, image->pixel_sha256);
		image->dhash = dhash(rgba.bytes, width, height);
		atomic_fetch_add(&total_bytes, size);
	}
	EVP_MD_CTX_free(context);
	EVP_MD_free(kind);
	free(content.bytes);
	free(rgba.bytes);
	return NULL;
}

static int by_name(const void *a, const void *b) {
	return strcmp(((const struct image *)a)->name, ((const struct image *)b)->name);
}

static void list_folder(const char *folder) {
	DIR *open_folder = opendir(folder);
	if (open_folder == NULL) fail("cannot open", folder);
	struct dirent *entry;
	while ((entry = readdir(open_folder)) != NULL) {
		size_t length = strlen(entry->d_name);
		if (length < 5 || strcmp(entry->d_name + length - 5, ".webp") != 0) continue;
		if (image_count == image_room) {
			image_room = image_room ? 2 * image_room : 4096;
			images = realloc(images, image_room * sizeof *images);
			if (images == NULL) fail("no memory", folder);
		}
		struct image *image = &images[image_count++];
		if (asprintf(&image->path, "%s/%s", folder, entry->d_name) < 0) fail("no memory", folder);
		image->name = strrchr(image->path, '/') + 1;
	}
	closedir(open_folder);
}

static void write_out(const char *path) {
	FILE *out = fopen(path, "w");
	if (out == NULL) fail("cannot write", path);
	qsort(images, image_count, sizeof *images, by_name);
	for (size_t i = 0; i < image_count; i++) {
		fprintf(out, "%s ", images[i].name);
		for (int j = 0; j < 32; j++) fprintf(out, "%02x", images[i].pixel_sha256[j]);
		fprintf(out, " %016llx\n", (unsigned long long)images[i].dhash);
	}
	if (fclose(out) != 0) fail("cannot write", path);
}

static double seconds_now(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
	long threads = sysconf(_SC_NPROCESSORS_ONLN);
	const char *out = NULL;
	double start = seconds_now();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) threads = atol(argv[++i]);
		else if (strcmp(argv[i], "--out") == 0 && i + 1 < argc) out = argv[++i];
		else list_folder(argv[i]);
	}
	if (image_count == 0 || threads < 1) fail("usage: floor [--threads N] [--out FILE] FOLDER...", "no images");
	pthread_t *workers = calloc((size_t)threads, sizeof *workers);
	for (long i = 0; i < threads; i++)
		if (workers == NULL || pthread_create(&workers[i], NULL, work, NULL) != 0) fail("no thread", "worker");
	for (long i = 0; i < threads; i++) pthread_join(workers[i], NULL);
	double seconds = seconds_now() - start;
	if (out != NULL) write_out(out);
	printf("{\"images\": %zu, \"bytes\": %llu, \"seconds\": %.4f, \"images_per_second\": %.2f, \"cpu_seconds\": %.3f, "
		   "\"threads\": %ld, \"sums\": [%lu, %u]}\n",
		   image_count, (unsigned long long)total_bytes, seconds, (double)image_count / seconds, cpu_seconds(), threads,
		   (unsigned long)crc_sum, (unsigned)digest_sum);
	return 0;
}
