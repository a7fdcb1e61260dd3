import { randomUUID } from 'node:crypto';
import { plus } from '@tidemark/task/time';
import type { Backup } from '../backup.ts';
import { start } from '../decide/start.ts';
import { ownKey } from '../decide/vocabulary.ts';

/** Test support: a good backup of the schedule, as it is on record long after its end. */
export function goodBackup(clusterId: string, startTime: Date, fields: Partial<Backup> = {}): Backup {
  const { _id = randomUUID().replaceAll('-', '').slice(0, 22) } = fields;
  const accepted = start({
    _id,
    request: { hash: 'h', id: _id },
    createdBy: 'scheduler',
    clusterId,
    mode: 'auto',
    origin: 'schedule',
    target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
    storage: { id: 'local', local: { path: '/tmp/storage' }, maxConcurrent: 0 },
    path: `root/${clusterId}/${_id}`,
    acceptedAt: startTime,
    deadlineMs: 86_400_000,
  });
  const endTime = plus(startTime, 60_000);
  const ended = { state: 'Succeeded', task: null, endTime, updateTime: endTime } as const;
  return { ...accepted, activeKey: ownKey(accepted), slotKey: ownKey(accepted), ...ended, ...fields };
}
