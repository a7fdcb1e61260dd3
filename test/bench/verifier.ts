/** Verifies a backup with what a worker has, in a process of its own, and tells how long that took and what it needed. */
import { verifyContent } from '@tidemark/backupmeta/verify-content';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { openBackupFiles } from '@tidemark/storage/backup-files';
import { floorReady, floorSettings } from './floors/floor.ts';
import { ownMb } from './process-usage.ts';

export interface VerifierSettings {
  readonly location: NonNullable<Parameters<typeof Storage.create>[0]>['location'];
  readonly path: string;
  readonly level: 'meta' | 'bytes';
  readonly env: Readonly<Record<string, string>>;
}

export interface Verified {
  readonly verdict: string;
  readonly seconds: number;
  readonly bytes: number;
  readonly files: number;
  /** The most that it had for itself. */
  readonly ownMb: number;
}

const SAMPLE_MS = 100;

const { location, path, level, env } = await floorSettings<VerifierSettings>();
const files = await openBackupFiles(Storage.create({ id: 's', location }), path, env);
let most = await ownMb(process.pid);
const sampling = setInterval(async () => {
  most = Math.max(most, await ownMb(process.pid));
}, SAMPLE_MS);
const startedAt = performance.now();
const { verdict, filesListed, bytesRead } = await verifyContent(files, new AbortController().signal, { level });
const seconds = (performance.now() - startedAt) / 1_000;
clearInterval(sampling);
floorReady({ verdict, seconds, bytes: bytesRead, files: filesListed, ownMb: most } satisfies Verified);
