import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";

/** A connection that says nothing for this long is given up. */
const SILENCE_MS = 60_000;
const CONNECT_MS = 10_000;
/** Connections kept open; more than the objects under way at once. */
const SOCKETS = 64;

/**
 * A client by the SDK's own rules: its whole credential chain, `AWS_ENDPOINT_URL_S3`, `AWS_REGION`, `AWS_PROFILE`, proxies
 * aside. Where no region is told it is us-east-1; at an endpoint of one's own, buckets stand in the path, since few
 * compatible servers have host names for them.
 *
 * The SDK itself never tries again: a conditional write must know whether an earlier attempt may have gone through.
 */
export async function openClient(env: NodeJS.ProcessEnv): Promise<{ client: S3Client; endpoint: string | null }> {
	// The SDK says on stderr, once a process, which Node it will need next year.
	env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
	const agent = { keepAlive: true, maxSockets: SOCKETS };
	const config: S3ClientConfig = {
		maxAttempts: 1,
		// Checksums are given by each call; the SDK's own (CRC32 in an aws-chunked trailer) are refused by some servers.
		requestChecksumCalculation: "WHEN_REQUIRED",
		responseChecksumValidation: "WHEN_REQUIRED",
		followRegionRedirects: true,
		requestHandler: {
			connectionTimeout: CONNECT_MS,
			socketTimeout: SILENCE_MS,
			httpAgent: new HttpAgent(agent),
			httpsAgent: new HttpsAgent(agent),
		},
	};
	if (!env.AWS_REGION && env.AWS_DEFAULT_REGION) config.region = env.AWS_DEFAULT_REGION;
	const first = new S3Client(config);
	const endpoint = await configuredEndpoint(first);
	const region = await first.config.region().catch(() => "us-east-1");
	first.destroy();
	const client = new S3Client({ ...config, region, forcePathStyle: endpoint !== null && !isAmazon(endpoint) });
	signByChecksum(client);
	return { client, endpoint };
}

/** The endpoint of `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or the profile; null for Amazon's own. */
async function configuredEndpoint(client: S3Client): Promise<string | null> {
	// The SDK resolves it for its own use and leaves it out of the types.
	const config = client.config as { serviceConfiguredEndpoint?: () => Promise<string | undefined> };
	return (await config.serviceConfiguredEndpoint?.()) ?? null;
}

function isAmazon(endpoint: string): boolean {
	return URL.canParse(endpoint) && /(^|\.)amazonaws\.com(\.cn)?$/.test(new URL(endpoint).hostname);
}

/**
 * Every upload carries its SHA-256 in a header that the signature covers, and which the server holds the body against.
 * So the signature need not cover the body by a hash of its own, which both sides would compute a second time.
 */
function signByChecksum(client: S3Client): void {
	client.middlewareStack.add(
		(next) => (args) => {
			// Of the request, as the steps before this one have made it.
			const headers = (args as { request?: { headers: Record<string, string> } }).request?.headers;
			if (headers?.["x-amz-checksum-sha256"] !== undefined) headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
			return next(args);
		},
		{ step: "build", priority: "low", name: "irlakeSignByChecksum" },
	);
}
