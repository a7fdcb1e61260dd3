import { DeletionState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BACKUP, sampleBackup } from '../testing/programmable-backends.ts';
import { as, PROTOCOLS, type RpcGateway, startRpcGateway } from '../testing/rpc-clients.ts';

let gateway: RpcGateway;
beforeAll(async () => {
  gateway = await startRpcGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** A backup whose deletion takes so many looks. */
const deletionTakes = (looks: number) => {
  let seen = 0;
  const stateNow = () => (seen > looks ? DeletionState.DELETED : DeletionState.REQUESTED);
  gateway.answers.deleteBackup = async ({ id }) => {
    seen = 1;
    return { backup: sampleBackup({ id, deletion: { state: stateNow() } }) };
  };
  gateway.answers.getBackup = async ({ id }) => {
    if (seen > 0) seen += 1;
    return { backup: sampleBackup({ id, deletion: { state: stateNow() } }) };
  };
};

it.each(PROTOCOLS)('a deletion is waited for over %s', async (protocol) => {
  deletionTakes(2);
  const { backup } = await gateway.client(BackupService, protocol).deleteBackup({ id: BACKUP }, as('admin'));
  expect(backup?.deletion?.state).toBe(DeletionState.DELETED);
});

it.each(PROTOCOLS)('a client over %s with less time is told what was recorded', async (protocol) => {
  deletionTakes(1_000);
  const { backup } = await gateway
    .client(BackupService, protocol)
    .deleteBackup({ id: BACKUP }, { ...as('admin'), timeoutMs: 1_000 });
  expect(backup?.deletion?.state).toBe(DeletionState.REQUESTED);
});
