import type { TokenCredential } from '@azure/identity';
import type { BlobServiceClient, BlockBlobUploadOptions } from '@azure/storage-blob';
import { BrError, invalidStorage } from './br-error.ts';
import { networkErrorText } from './network-error.ts';
import type { Storage } from './storage.ts';
import type { ObjectStoreTarget, StorageParameters } from './storage-url.ts';

type Env = Readonly<Record<string, string | undefined>>;

const NOT_FOUND = 404;

/**
 * A place in a container of Azure Blob Storage. Credentials are, in this order, the SAS token, the key in URL or flags,
 * AZURE_CLIENT_ID and the like, AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY, the machine's own (br-contract 2.4).
 *
 * @throws BrError if there is no account name
 */
export async function azureStorage({ bucket, prefix, parameters }: ObjectStoreTarget, env: Env): Promise<Storage> {
  const container = (await openService(parameters, env)).getContainerClient(bucket);
  const start = prefix === '' ? '' : `${prefix}/`;
  const blob = (name: string) => container.getBlockBlobClient(start + name);
  const options = uploadOptions(parameters);

  const send = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw new BrError(azureErrorText(what, error));
    }
  };

  return {
    kind: 'azure',
    uri: `azure://${bucket}/${start}`,
    path: undefined,
    async writeWhole(name, body) {
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      await send(
        `Failed to write azure blob file, file info: bucket(container)='${bucket}', key='${start}${name}'`,
        () => blob(name).upload(bytes, bytes.length, options),
      );
    },
    read: (name) =>
      send(
        `Failed to download azure blob file, file info: bucket(container)='${bucket}', key='${start}${name}'`,
        async () => {
          try {
            return await blob(name).downloadToBuffer();
          } catch (error) {
            if ((error as { statusCode?: unknown }).statusCode === NOT_FOUND) return undefined;
            throw error;
          }
        },
      ),
    exists: (name) => send('Failed to check azure blob file', () => blob(name).exists()),
    list: () =>
      send('Failed to list azure container', async () => {
        const names: string[] = [];
        for await (const { name } of container.listBlobsFlat({ prefix: start })) names.push(name.slice(start.length));
        return names.toSorted();
      }),
    async remove(name) {
      await send('Failed to delete azure blob file', () => blob(name).deleteIfExists());
    },
    makeFolder: async () => undefined,
  };
}

async function openService(parameters: StorageParameters, env: Env): Promise<BlobServiceClient> {
  const { BlobServiceClient, StorageSharedKeyCredential } = await import('@azure/storage-blob');
  const account = parameters.get('account-name') || env.AZURE_STORAGE_ACCOUNT || '';
  if (account === '') throw invalidStorage('account name cannot be empty to access azure blob storage');
  const url = (parameters.get('endpoint') || `https://${account}.blob.core.windows.net`).replace(/\/+$/, '');
  const sas = parameters.get('sas-token');
  if (sas) return new BlobServiceClient(`${url}/?${sas.replace(/^\?/, '')}`);
  const given = parameters.get('account-name') && parameters.get('account-key');
  if (given) return new BlobServiceClient(url, new StorageSharedKeyCredential(account, given));
  const { AZURE_CLIENT_ID: client, AZURE_TENANT_ID: tenant, AZURE_CLIENT_SECRET: secret } = env;
  if (!(client && tenant && secret) && env.AZURE_STORAGE_KEY) {
    return new BlobServiceClient(url, new StorageSharedKeyCredential(account, env.AZURE_STORAGE_KEY));
  }
  return new BlobServiceClient(url, await tokenCredential(client, tenant, secret));
}

async function tokenCredential(client?: string, tenant?: string, secret?: string): Promise<TokenCredential> {
  const { ClientSecretCredential, DefaultAzureCredential } = await import('@azure/identity');
  return client && tenant && secret ? new ClientSecretCredential(tenant, client, secret) : new DefaultAzureCredential();
}

function uploadOptions(parameters: StorageParameters): BlockBlobUploadOptions {
  const tier = parameters.get('access-tier');
  const encryptionScope = parameters.get('encryption-scope');
  return { ...(tier && { tier }), ...(encryptionScope && { encryptionScope }) };
}

interface AzureError {
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly message?: string;
  readonly details?: { readonly errorCode?: unknown };
}

function azureErrorText(what: string, error: unknown): string {
  const { code, statusCode, message, details } = error as AzureError;
  const network = networkErrorText(error, 'blob.core.windows.net:443');
  if (network !== undefined) return `${what}: ${network}`;
  const errorCode = code ?? details?.errorCode ?? 'MISSING ERROR CODE';
  const status = statusCode === undefined ? '' : `RESPONSE ${statusCode}: ERROR CODE: ${errorCode}: `;
  return `${what}: ${status}${message ?? String(error)}`;
}
