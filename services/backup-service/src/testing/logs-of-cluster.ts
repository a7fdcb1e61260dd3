/** Good backups and logs of a cluster, at points that a test chooses. */
import { CompleteTaskRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Backup } from '../backup.ts';
import { type LogBackup, type LogGeneration, newLogBackup } from '../log/log-backup.ts';
import type { BackupCalls } from './backup-calls.ts';

export interface LogsOfCluster {
  /** Makes a good backup that holds a point. Answers its id. */
  goodAt(tso: bigint): Promise<string>;
  backup(id: string): Promise<Backup | null>;
  change(id: string, fields: object): Promise<void>;
  /** Has a verification find it damaged. */
  damage(id: string): Promise<void>;
  /** Writes down the logs of the cluster. */
  logged(generations: readonly LogGeneration[], some?: Partial<LogBackup>): Promise<void>;
}

/** A log between two points; the rest of it is as of one that is written. */
export function generationOf(n: number, min: bigint, max: bigint, some: Partial<LogGeneration> = {}): LogGeneration {
  const word = `log-${n}-aaaaaaaa`;
  return {
    ...{ n, taskName: `tidemark_t_${n}_aaaaaaaa`, path: `nfs/t/${word}`, createTime: new Date() },
    ...{ storage: { id: 'local', local: { path: '/s' }, maxConcurrent: 0 }, startTs: String(min) },
    ...{ min: String(min), max: String(max), open: true, begun: null, started: true, stopping: false },
    ...{ dead: false, baseId: null, vanished: null, endedWhy: null, endedAt: null },
    ...some,
  };
}

export function logsOfCluster({ service, cluster, start, claim }: BackupCalls): LogsOfCluster {
  const backups = () => service().db.collection<Backup>('backups');
  const backup = (id: string) => backups().findOne({ _id: id });
  const change = async (id: string, fields: object) => {
    await backups().updateOne({ _id: id }, { $set: fields, $inc: { revision: 1 } });
  };
  return {
    ...{ backup, change },
    async goodAt(tso) {
      const { id } = await start();
      const { grant } = await claim(id);
      const token = (await backup(id))?.task?.claim ?? '';
      const result = { tso, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' };
      await service().executor.completeTask(
        CompleteTaskRequest.create({
          task: { backupId: id, claim: token, fence: grant?.value.fence ?? 0n },
          outcome: { $case: 'succeeded', value: { result, exitSeen: true } },
        }),
      );
      return id;
    },
    async damage(id) {
      const counts = { state: 'Damaged', level: 'bytes', at: new Date(), sample: 100, sentence: '', problemCount: 1 };
      await change(id, { verification: { run: 1, active: false, counts } });
    },
    async logged(generations, some = {}) {
      const log: LogBackup = { ...newLogBackup(cluster(), new Date()), generations, ...some };
      await service().db.collection<LogBackup>('logBackups').replaceOne({ _id: cluster() }, log, { upsert: true });
    },
  };
}
