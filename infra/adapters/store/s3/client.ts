import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { type Proxies, readProxies } from "../../sources/proxy.js";

/** Longest silence on a connection. */
const SILENCE_MS = 60_000;
const CONNECT_MS = 10_000;
/** Connections kept open; more than there are objects in flight. */
const SOCKETS = 80;

/**
 * A client by the SDK's own rules: its whole credential chain, `AWS_ENDPOINT_URL_S3`, `AWS_REGION`, `AWS_PROFILE`; and
 * through the proxy that the environment names, which the SDK ignores. The default region is us-east-1. At an endpoint
 * other than Amazon's, the bucket stands in the path, since few compatible servers have host names for buckets.
 *
 * The SDK never retries: a conditional write must know whether an earlier attempt may have succeeded.
 */
export async function openClient(env: NodeJS.ProcessEnv): Promise<{ client: S3Client; endpoint: string | null }> {
	// Silences the SDK's warning on stderr about the Node release that it will need next year.
	process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
	const config: S3ClientConfig = {
		maxAttempts: 1,
		// Each call gives its own checksum; the SDK's (CRC32 in an aws-chunked trailer) is refused by some servers.
		requestChecksumCalculation: "WHEN_REQUIRED",
		responseChecksumValidation: "WHEN_REQUIRED",
		followRegionRedirects: true,
	};
	if (!env.AWS_REGION && env.AWS_DEFAULT_REGION) config.region = env.AWS_DEFAULT_REGION;
	const first = new S3Client(config);
	const endpoint = await configuredEndpoint(first);
	const region = await first.config.region().catch(() => "us-east-1");
	first.destroy();
	const requestHandler = {
		connectionTimeout: CONNECT_MS,
		socketTimeout: SILENCE_MS,
		...(await openAgents(new URL(endpoint ?? `https://s3.${region}.amazonaws.com`), readProxies(env))),
	};
	const forcePathStyle = endpoint !== null && !isAmazon(endpoint);
	const client = new S3Client({ ...config, region, requestHandler, forcePathStyle });
	signByChecksum(client);
	return { client, endpoint };
}

/** Agents that keep connections open; through the proxy's tunnel, where there is a proxy for this address. */
async function openAgents(
	target: URL,
	proxies: Proxies | null,
): Promise<{ httpAgent: HttpAgent; httpsAgent: HttpsAgent }> {
	const options = { keepAlive: true, maxSockets: SOCKETS };
	const named = target.protocol === "https:" ? proxies?.https : proxies?.http;
	if (!named || proxies?.isExempt(target)) {
		return { httpAgent: new HttpAgent(options), httpsAgent: new HttpsAgent(options) };
	}
	const { HttpsProxyAgent } = await import("https-proxy-agent");
	const tunnel = new HttpsProxyAgent(named, options);
	// It serves both; its types say one.
	return { httpAgent: tunnel, httpsAgent: tunnel as unknown as HttpsAgent };
}

/** The endpoint of `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or the profile; null for Amazon's own. */
async function configuredEndpoint(client: S3Client): Promise<string | null> {
	// The SDK resolves it for its own use, but does not declare it.
	const config = client.config as { serviceConfiguredEndpoint?: () => Promise<string | undefined> };
	return (await config.serviceConfiguredEndpoint?.()) ?? null;
}

function isAmazon(endpoint: string): boolean {
	return URL.canParse(endpoint) && /(^|\.)amazonaws\.com(\.cn)?$/.test(new URL(endpoint).hostname);
}

/**
 * Every upload has its SHA-256 in a header that the signature covers and that the server checks the body against. So
 * the signature need not cover the body's hash again, which both sides would compute a second time.
 */
function signByChecksum(client: S3Client): void {
	client.middlewareStack.add(
		(next) => (args) => {
			// The request as the earlier steps have built it.
			const headers = (args as { request?: { headers: Record<string, string> } }).request?.headers;
			if (headers?.["x-amz-checksum-sha256"] !== undefined) headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
			return next(args);
		},
		{ step: "build", priority: "low", name: "irlakeSignByChecksum" },
	);
}
