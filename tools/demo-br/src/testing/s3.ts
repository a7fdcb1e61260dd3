import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

// For this package's tests only: as much of S3 as one bucket needs, in this process, with faults on demand.

export interface S3 extends AsyncDisposable {
  readonly endpoint: string;
  /** Bodies by key. */
  readonly objects: Map<string, Buffer>;
  /** `METHOD path`, in order, with the access key of each. */
  readonly requests: Array<{ line: string; accessKey: string | undefined }>;
  /** Status and code of every further answer to this method. */
  readonly faults: Map<string, { status: number; code: string; region?: string } | 'silence'>;
}

export const BUCKET = 'bucket';

/** Starts a server that has one bucket, in us-east-1. */
export async function startS3(): Promise<S3> {
  const objects: S3['objects'] = new Map();
  const requests: S3['requests'] = [];
  const faults: S3['faults'] = new Map();
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://s3');
    const accessKey = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1];
    requests.push({ line: `${request.method} ${url.pathname}`, accessKey });
    const fault = faults.get(request.method ?? '');
    if (fault === 'silence') return;
    if (fault !== undefined) {
      if (fault.region !== undefined) response.setHeader('x-amz-bucket-region', fault.region);
      await text(request);
      return fail(response, fault.status, fault.code);
    }
    const [, bucket, key] = /^\/([^/]+)\/?(.*)$/.exec(decodeURIComponent(url.pathname)) ?? [];
    if (bucket !== BUCKET) return fail(response, 404, 'NoSuchBucket');
    if (!key) return answerBucket(objects, url, response);
    await answerObject(objects, key, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    requests,
    faults,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function fail(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<Error><Code>${code}</Code><Message>told to</Message></Error>`);
}

function answerBucket(objects: S3['objects'], url: URL, response: ServerResponse): void {
  const prefix = url.searchParams.get('prefix') ?? '';
  const found = [...objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  response.setHeader('x-amz-bucket-region', 'us-east-1');
  response.end(
    `<ListBucketResult><IsTruncated>false</IsTruncated>${found.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')}</ListBucketResult>`,
  );
}

async function answerObject(
  objects: S3['objects'],
  key: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method === 'PUT') {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    objects.set(key, Buffer.concat(chunks));
    response.end();
    return;
  }
  if (request.method === 'DELETE') {
    objects.delete(key);
    response.writeHead(204).end();
    return;
  }
  const body = objects.get(key);
  if (body === undefined) return fail(response, 404, 'NoSuchKey');
  response.setHeader('content-length', body.length);
  response.end(request.method === 'HEAD' ? undefined : body);
}
