/**
 * Files in a container of Azure Blob Storage.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  ClientSecretCredential,
  DefaultAzureCredential,
  type TokenCredential,
  WorkloadIdentityCredential,
} from '@azure/identity';
import {
  type BlobDownloadResponseParsed,
  BlobServiceClient,
  type ContainerGetPropertiesResponse,
  type ContainerListBlobFlatSegmentResponse as FlatPage,
  type ContainerListBlobHierarchySegmentResponse as HierarchyPage,
  RestError,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { AppError } from '@tidemark/errors/app-error';
import type { AzureLocation } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type Content, collect, handOver, readWithin } from './bounded-read.ts';
import { type Credentials, secretsOf } from './credentials.ts';
import { SMALL_FILE_LIMIT } from './read-limit.ts';
import { askAside, createRequests, namedFolders, prefixOf, readListed, removeEach, watchPages } from './requests.ts';
import type { StorageFiles } from './storage-files.ts';

const PAGE = 1_000;
const TRIES = 3;
const FIRST_PAUSE_MS = 500;

/** Errors that belong to one blob, not to the container. */
const OF_ONE_BLOB = [403, 409, 412];

/**
 * Opens a container; whether it is there shows with the first request.
 *
 * @throws AppError `storage_unusable` when the account is not named
 */
export async function openAzureFiles(
  location: AzureLocation,
  credentials: Credentials,
  answerMs: number,
): Promise<StorageFiles> {
  const { container: name } = location;
  const service = createService(location, credentials, answerMs);
  const container = service.getContainerClient(name);
  const base = prefixOf(location.prefix);
  const secrets = secretsOf(credentials);
  const title = `the container ${name}`;
  const request = createRequests({
    title,
    answerMs,
    secrets,
    explain: (error) => explain(error, name, service.url, location.accessTier),
  });
  const customerProvidedKey = encryptionKey(credentials.AZURE_ENCRYPTION_KEY);

  const pages = async function* (prefix: string, delimiter: string | undefined, signal: AbortSignal) {
    const advance = watchPages(title);
    let sent: string | undefined;
    for (;;) {
      const settings = { maxPageSize: PAGE, ...(sent !== undefined && { continuationToken: sent }) };
      const page = await request(signal, async (abortSignal) => {
        const options = { prefix, abortSignal };
        if (delimiter === undefined) return firstPage(container.listBlobsFlat(options).byPage(settings));
        return firstPage<HierarchyPage | FlatPage>(container.listBlobsByHierarchy(delimiter, options).byPage(settings));
      });
      const blobs = page?.segment.blobItems ?? [];
      const { blobPrefixes: folders = [] } = (page?.segment ?? {}) as Partial<HierarchyPage['segment']>;
      yield { blobs, folders };
      const next = page?.continuationToken;
      if (!next) return;
      advance({ sent, next, lastFile: blobs.at(-1)?.name, lastFolder: folders.at(-1)?.name });
      sent = next;
    }
  };
  const entries = async function* (folder: string, signal: AbortSignal) {
    const prefix = base + (folder === '' ? '' : `${folder}/`);
    for await (const { blobs, folders } of pages(prefix, '/', signal)) {
      for (const { name } of folders) yield { name: name.slice(prefix.length, -1), folder: true, bytes: 0 };
      for (const { name, properties } of blobs) {
        const { contentLength: bytes = 0, lastModified: modified } = properties;
        yield { name: name.slice(prefix.length), folder: false, bytes, modified };
      }
    }
  };
  const find: StorageFiles['find'] = async (file, signal) => {
    for await (const { blobs } of pages(base + file, undefined, signal))
      for (const { name, properties } of blobs)
        if (name === base + file) return { name: file, bytes: properties.contentLength ?? 0 };
    return undefined;
  };
  /** Asks for a blob's content; undefined where there is none. */
  const get = <T>(
    file: string,
    signal: AbortSignal,
    use: (answer: Content, abortSignal: AbortSignal, alive: () => void) => Promise<T>,
  ) =>
    request(signal, async (abortSignal, alive) => {
      let answer: BlobDownloadResponseParsed;
      try {
        const options = { abortSignal, customerProvidedKey };
        answer = await container.getBlobClient(base + file).download(0, undefined, options);
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
      const { readableStreamBody, contentLength: announced = 0 } = answer;
      return use({ content: readableStreamBody as Readable, announced }, abortSignal, alive);
    });

  return {
    async *list(folder, signal) {
      const prefix = `${base}${folder}/`;
      for await (const { blobs } of pages(prefix, undefined, signal))
        for (const { name, properties } of blobs)
          yield { name: name.slice(prefix.length), bytes: properties.contentLength ?? 0 };
    },
    folders: (folder, signal) => namedFolders(entries(folder, signal)),
    entries,
    find,
    read(name, signal, limit = SMALL_FILE_LIMIT) {
      return readListed(
        { title, name, signal },
        () =>
          readWithin(name, limit, signal, (ending) =>
            get(name, ending, ({ content, announced }, abortSignal, alive) =>
              collect(content, { name, limit, announced }, abortSignal, alive),
            ),
          ),
        () => find(name, signal),
      );
    },
    async stream(name, signal, take) {
      const readOnce = () =>
        get(name, signal, ({ content }, abortSignal, alive) => handOver(content, take, abortSignal, alive));
      return (await readListed({ title, name, signal }, readOnce, () => find(name, signal))) ?? false;
    },
    async write(file, content, signal, { asBackup = false } = {}) {
      const blob = container.getBlockBlobClient(base + file);
      const encryptionScope = location.encryptionScope || undefined;
      const tier = (asBackup && location.accessTier) || undefined;
      await request(signal, (abortSignal) =>
        blob.upload(content, Buffer.byteLength(content), { abortSignal, customerProvidedKey, encryptionScope, tier }),
      );
    },
    remove: (names, signal) =>
      removeEach(names, (file) => {
        // URLs lose such parts, so that another blob would be meant.
        if (file.split('/').some((part) => part === '.' || part === '..'))
          return Promise.resolve('a name with such parts cannot be sent to Azure');
        return request(signal, async (abortSignal) => {
          try {
            await container.getBlobClient(base + file).delete({ abortSignal, deleteSnapshots: 'include' });
          } catch (error) {
            if (isAbsent(error)) return undefined;
            if (!(error instanceof RestError) || !OF_ONE_BLOB.includes(error.statusCode ?? 0)) throw error;
            return codeOf(error) || `status ${error.statusCode}`;
          }
        });
      }),
    // Blocks that were never committed go by themselves after a week.
    finishRemoval: async () => '',
    async traits(signal) {
      const ask = <T>(question: (abortSignal: AbortSignal) => Promise<T>) =>
        askAside(signal, () => request(signal, question));
      const held = await ask((abortSignal) => container.getProperties({ abortSignal }));
      const first = await ask((abortSignal) =>
        firstPage(container.listBlobsFlat({ abortSignal, includeVersions: true }).byPage({ maxPageSize: 1 })),
      );
      const retention = await ask((abortSignal) => service.getProperties({ abortSignal }));
      const versioned = first?.segment.blobItems.some(({ versionId }) => versionId !== undefined) ?? false;
      return {
        ...describeVersions(versioned, retention, name),
        lock: describeLock(held, name),
      };
    },
  };
}

function createService(location: AzureLocation, credentials: Credentials, answerMs: number): BlobServiceClient {
  const account = location.accountName || credentials.AZURE_STORAGE_ACCOUNT;
  if (!account) {
    throw new AppError(
      'storage_unusable',
      'The storage names no account of Azure, and AZURE_STORAGE_ACCOUNT is not set.',
    );
  }
  const url = location.endpoint || `https://${account}.blob.core.windows.net`;
  const retryOptions = { maxTries: TRIES, tryTimeoutInMs: answerMs, retryDelayInMs: FIRST_PAUSE_MS };
  return new BlobServiceClient(url, provideCredential(account, credentials), { retryOptions });
}

/** In the order of BR (br-contract 2.4). */
function provideCredential(
  account: string,
  {
    AZURE_CLIENT_ID: clientId,
    AZURE_TENANT_ID: tenantId,
    AZURE_CLIENT_SECRET: secret,
    AZURE_FEDERATED_TOKEN_FILE: tokenFilePath,
    AZURE_STORAGE_KEY: key,
    AZURE_AUTHORITY_HOST: authorityHost,
  }: Credentials,
): StorageSharedKeyCredential | TokenCredential {
  const options = authorityHost ? { authorityHost } : {};
  if (clientId && tenantId && secret) return new ClientSecretCredential(tenantId, clientId, secret, options);
  if (key) return new StorageSharedKeyCredential(account, key);
  if (clientId && tenantId && tokenFilePath)
    return new WorkloadIdentityCredential({ clientId, tenantId, tokenFilePath, ...options });
  return new DefaultAzureCredential({ ...(clientId && { managedIdentityClientId: clientId }), ...options });
}

/** The key that BR encrypts with, as Azure wants to hear it. */
function encryptionKey(key: string | undefined) {
  if (key === undefined) return undefined;
  const encryptionKeySha256 = createHash('sha256').update(key).digest('base64');
  return {
    encryptionKey: Buffer.from(key).toString('base64'),
    encryptionKeySha256,
    encryptionAlgorithm: 'AES256' as const,
  };
}

function explain(error: unknown, container: string, url: string, tier: string): string | undefined {
  const code = codeOf(error);
  const status = error instanceof RestError ? error.statusCode : undefined;
  if (code === 'ContainerNotFound' || code === 'ContainerBeingDeleted')
    return `The container ${container} is not there (${url}): make it, or correct the storage.`;
  if (['CredentialUnavailableError', 'AggregateAuthenticationError'].includes(nameOf(error)))
    return `This worker has no credentials for the container ${container}: give it a key or an identity, or name their source in the storage.`;
  if (nameOf(error) === 'AuthenticationError' || code === 'AuthenticationFailed' || status === 401)
    return `Azure refuses the credentials for the container ${container}: correct them where the storage says that they are.`;
  if (code === 'BlobArchived')
    return `Blobs of the access tier "${tier}" cannot be read in the container ${container} before they were rehydrated: a backup could not be verified; name another tier in the storage.`;
  if (tier !== '' && (code === 'InvalidHeaderValue' || code === 'InvalidBlobTier'))
    return `Azure does not take the access tier "${tier}" in the container ${container} (${code}): correct the storage.`;
  if (code === 'ENOTFOUND') return `There is no ${url}: correct the account of the storage.`;
  if (status === 403)
    return `Access to the container ${container} is denied (${code}): correct the credentials, or allow them to list, read, write and delete blobs.`;
  return undefined;
}

function describeLock(held: ContainerGetPropertiesResponse | undefined, container: string): string {
  if (held === undefined) return `Whether the container ${container} locks blobs could not be asked.`;
  if (held.hasImmutabilityPolicy)
    return `The container ${container} has an immutability policy: blobs cannot be deleted before its time is over.`;
  if (held.hasLegalHold) return `The container ${container} is under a legal hold: its blobs cannot be deleted.`;
  if (held.isImmutableStorageWithVersioningEnabled)
    return `The container ${container} allows immutable versions: blobs can be locked one by one.`;
  return '';
}

function describeVersions(
  versioned: boolean,
  service: { deleteRetentionPolicy?: { enabled: boolean; days?: number } } | undefined,
  container: string,
) {
  if (versioned) {
    const versions = `The container ${container} keeps old versions of deleted blobs, which still take space until a rule removes them.`;
    return { keepsOldVersions: true, versions };
  }
  const { enabled, days } = service?.deleteRetentionPolicy ?? { enabled: false };
  if (enabled) {
    const versions = `The account of the container ${container} keeps deleted blobs for ${days} days (soft delete), which take space until then.`;
    return { keepsOldVersions: true, versions };
  }
  const unknown = `Whether deleted blobs of the container ${container} are kept for a while (soft delete) could not be asked.`;
  return { keepsOldVersions: false, versions: service === undefined ? unknown : '' };
}

/** Not the container, which has the same status. */
function isAbsent(error: unknown): boolean {
  const { statusCode } = error instanceof RestError ? error : {};
  return statusCode === 404 && !['ContainerNotFound', 'ContainerBeingDeleted'].includes(codeOf(error));
}

const nameOf = (error: unknown) => (error instanceof Error ? error.name : '');

function codeOf(error: unknown): string {
  if (!(error instanceof RestError)) return '';
  const details = error.details as { errorCode?: string } | undefined;
  return error.code ?? details?.errorCode ?? '';
}

async function firstPage<T>(pages: AsyncIterable<T>): Promise<T | undefined> {
  for await (const page of pages) return page;
  return undefined;
}
