import type { Storage as GcsClient, SaveOptions } from '@google-cloud/storage';
import { BrError } from './br-error.ts';
import { networkErrorText } from './network-error.ts';
import type { Storage } from './storage.ts';
import type { ObjectStoreTarget, StorageParameters } from './storage-url.ts';

const NOT_FOUND = 404;

/**
 * A place in a bucket of Google Cloud Storage. Credentials come from `credentials-file` or from where the vendor's client
 * looks for them: GOOGLE_APPLICATION_CREDENTIALS and so on. With an endpoint and without either, nobody signs in: that is
 * how test servers work (br-contract 2.3, 2.4).
 */
export async function gcsStorage(
  { bucket: bucketName, prefix, parameters }: ObjectStoreTarget,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Storage> {
  const client = await openClient(parameters, env);
  const bucket = client.bucket(bucketName);
  const start = prefix === '' ? '' : `${prefix}/`;
  const file = (name: string) => bucket.file(start + name);
  const options = saveOptions(parameters);

  const send = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw new BrError(gcsErrorText(what, error));
    }
  };

  return {
    kind: 'gcs',
    uri: `gcs://${bucketName}/${start}`,
    path: undefined,
    writeWhole: (name, body) =>
      send(`failed to write ${name}`, () =>
        file(name).save(typeof body === 'string' ? body : Buffer.from(body), options),
      ),
    read: (name) =>
      send(`failed to read ${name}`, async () => {
        try {
          return (await file(name).download())[0];
        } catch (error) {
          if ((error as { code?: unknown }).code === NOT_FOUND) return undefined;
          throw error;
        }
      }),
    exists: (name) => send(`failed to check ${name}`, async () => (await file(name).exists())[0]),
    list: () =>
      send('failed to list objects', async () => {
        const [files] = await bucket.getFiles({ prefix: start });
        return files.map(({ name }) => name.slice(start.length)).toSorted();
      }),
    async remove(name) {
      await send(`failed to delete ${name}`, () => file(name).delete({ ignoreNotFound: true }));
    },
    makeFolder: async () => undefined,
  };
}

async function openClient(
  parameters: StorageParameters,
  env: Readonly<Record<string, string | undefined>>,
): Promise<GcsClient> {
  const { Storage: Client } = await import('@google-cloud/storage');
  const keyFilename = parameters.get('credentials-file') || env.GOOGLE_APPLICATION_CREDENTIALS;
  // BR's endpoint has the path of the API, the client's has not.
  const apiEndpoint = parameters.get('endpoint')?.replace(/(\/storage\/v1)?\/*$/, '');
  return new Client({
    // Without one the client would look for it in the machine's surroundings.
    projectId: 'demo-br',
    ...(keyFilename && { keyFilename }),
    ...(apiEndpoint && { apiEndpoint, useAuthWithCustomEndpoint: Boolean(keyFilename) }),
  });
}

function saveOptions(parameters: StorageParameters): SaveOptions {
  const storageClass = parameters.get('storage-class');
  const acl = parameters.get('predefined-acl');
  return {
    resumable: false,
    validation: false,
    ...(storageClass && { metadata: { storageClass } }),
    ...(acl && { predefinedAcl: acl as SaveOptions['predefinedAcl'] }),
  };
}

function gcsErrorText(what: string, error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: string };
  const status = typeof code === 'number' ? `googleapi: Error ${code}: ` : '';
  return `${what}: ${networkErrorText(error, 'storage.googleapis.com:443') ?? `${status}${message ?? String(error)}`}`;
}
