import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { MAX_PD_ANSWER_BYTES } from '@tidemark/limits/limits';
import type { ClusterTls } from '../br/cluster-tls.ts';

export interface Question {
  readonly address: string;
  readonly path: string;
  /** Posted; without one it is a GET. */
  readonly body: object | undefined;
  readonly tls: ClusterTls;
  readonly signal: AbortSignal;
}

/** Asks a PD or a TiKV over HTTP. @throws Error for an answer that is no success, is no JSON, or is too large */
export async function askJson({ address, path, body, tls, signal }: Question): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const isSecure = tls.ca !== undefined;
  const method = body ? 'POST' : 'GET';
  // A connection of its own: kept ones would outlive the look.
  const options = { ...tls, method, signal, agent: false, headers: { 'content-type': 'application/json' } };
  const url = `${isSecure ? 'https' : 'http'}://${address}${path}`;
  const request = (isSecure ? requestSecure : requestPlain)(url, options, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_PD_ANSWER_BYTES) response.destroy(new Error(`${address} says too much`));
    });
    response.on('end', () => {
      if (response.statusCode === 200) resolve(text);
      else reject(new Error(`${address} answered ${response.statusCode}`));
    });
    response.on('error', reject);
  });
  request.on('error', reject);
  request.end(body && JSON.stringify(body));
  return JSON.parse(await promise);
}

/** A field of what was answered; undefined where that is no object. */
export const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
