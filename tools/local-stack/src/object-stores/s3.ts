import type { LocalServerOptions } from '../local-server.ts';
import { installPythonPackage } from '../python-package.ts';
import { type ObjectStore, startObjectStore } from './object-store.ts';

const VERSION = '5.2.5';
/** The extra `server` would bring what it needs for all of Amazon; these are for S3, IAM and STS alone. */
const MOTO = {
  title: 'moto',
  folder: `moto-${VERSION}-s3`,
  requirements: [`moto[s3]==${VERSION}`, 'flask==3.1.3', 'flask-cors==6.0.5'],
  size: '120 MB',
};

/** Lets anybody in until keys are checked, so this needs no signature; it says whom the request is for. */
const UNSIGNED =
  'AWS4-HMAC-SHA256 Credential=setup/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=none';

/** A key for the whole store. */
export interface S3Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A server that speaks S3 and STS; it takes any key until it is told to check them. */
export interface S3Server extends ObjectStore {
  /** Makes a key that stays good when keys are checked; only while they are not. */
  makeKey(): Promise<S3Key>;
  /** From now on only its own keys and signatures are taken (`true`), or any again. */
  checkKeys(check: boolean): Promise<void>;
}

/**
 * Starts moto, which keeps everything in memory; installs it on first use.
 *
 * @throws a sentence that says what is missing
 */
export async function startS3Server(options: LocalServerOptions): Promise<S3Server> {
  const python = await installPythonPackage(MOTO, options);
  const store = await startObjectStore(
    {
      name: 'moto',
      title: 'moto',
      program: python,
      args: (port) => ['-m', 'moto.server', '--host', '127.0.0.1', '--port', String(port)],
    },
    options,
  );

  async function post(path: string, body: string | URLSearchParams): Promise<string> {
    const headers = { authorization: UNSIGNED };
    const answer = await fetch(store.endpoint + path, { method: 'POST', body, headers, signal: options.signal });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`moto answered ${answer.status}: ${text}`);
    return text;
  }
  const iam = (request: Record<string, string>) =>
    post('/', new URLSearchParams({ Version: '2010-05-08', UserName: 'backup', ...request }));

  return {
    ...store,
    async makeKey() {
      await iam({ Action: 'CreateUser' });
      const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
      await iam({ Action: 'PutUserPolicy', PolicyName: 'all', PolicyDocument: JSON.stringify(everything) });
      const answer = await iam({ Action: 'CreateAccessKey' });
      const [, accessKeyId = ''] = /<AccessKeyId>(.+)<\/AccessKeyId>/.exec(answer) ?? [];
      const [, secretAccessKey = ''] = /<SecretAccessKey>(.+)<\/SecretAccessKey>/.exec(answer) ?? [];
      return { accessKeyId, secretAccessKey };
    },
    checkKeys: async (check) => void (await post('/moto-api/reset-auth', check ? '0' : 'inf')),
  };
}
