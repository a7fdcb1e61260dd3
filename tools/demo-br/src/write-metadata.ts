import type { File } from '@tidemark/protocol/br/backup';
import { writeMetaFiles } from './backup-meta.ts';
import type { BackupRun } from './backup-run.ts';
import { goDuration } from './go-format.ts';
import { startStep } from './progress.ts';
import { schemasOf } from './schemas.ts';
import { BACKUP_META } from './used-path.ts';

/**
 * The step `Checksum` and the metadata, in the state that the outcome demands; the summary gets what they found.
 *
 * @param files of all regions; none for an empty backup
 */
export async function writeMetadata(run: BackupRun, backupTs: bigint, files: readonly File[]): Promise<void> {
  const { options, dialect, storage, source, script, log } = run;
  const { kind } = script.outcome;
  const startedAt = performance.now();
  const schemas = schemasOf(source, files, options.checksum || dialect.alwaysRecordsSums);
  const record = {
    clusterId: script.clusterId,
    clusterVersion: script.clusterVersion.replace(/^v/, ''),
    startVersion: options.lastBackupTs,
    endVersion: backupTs,
    files,
    schemas,
    metaV2: options.metaV2,
    newCollation: source.newCollation,
  };
  const body = run.crypter.sealMeta(await writeMetaFiles(run, record, dialect));
  const tookMs = performance.now() - startedAt;
  if (files.length > 0) logSums(run, files, tookMs);
  if (kind === 'missing-sst' && files[0] !== undefined) await storage.remove(files[0].name);
  if (kind !== 'exit-0-without-meta') {
    const whole = kind !== 'truncated-meta';
    await storage.writeWhole(BACKUP_META, whole ? body : body.subarray(0, Math.floor(body.length / 2)));
    log.info('metafile.go:806', 'save backup meta', [['size', body.length]]);
  }
  if (files.length === 0) return;
  const total = options.checksum ? schemas.length : dialect.idleChecksumTotal;
  using step = startStep(run.progress, 'Checksum', total);
  step.advance(total);
}

function logSums({ options, dialect, log, collector }: BackupRun, files: readonly File[], tookMs: number): void {
  if (!options.checksum) log.info('backup.go:710', 'Skip fast checksum');
  log.info('schema.go:179', 'Backup calculated table checksum into metas', [['take', goDuration(tookMs)]]);
  collector.add('backup-checksum', goDuration(tookMs));
  if (options.checksum && dialect.comparesSumsLast) collector.add('backup-fast-checksum', goDuration(tookMs / 2));
  if (dialect.countsColumnFamilies) {
    for (const family of ['write', 'default']) {
      collector.add(`${family}-CF-files`, files.filter(({ cf }) => cf === family).length);
    }
  }
}
