import { DEMO_CLUSTER } from './registration.ts';

/**
 * The six documented calls (api/backuprestore.md) as lines for a shell that need no editing and work pasted all
 * at once: the first backup is watched until it has ended and stays; a second one is canceled and deleted.
 */
export function pasteLines({ url, token }: { readonly url: string; readonly token: string }): string[] {
  const headers = `-H "accept: application/json" -H "Content-Type: application/json" -H "Authorization: Bearer ${token}"`;
  const call = (method: string, path: string, body?: unknown, options = '') =>
    `curl -s ${options}-X ${method} "${url}/api/v1/${path}" ${headers}${body === undefined ? '' : ` -d '${JSON.stringify(body)}'`}`;
  const clusterId = DEMO_CLUSTER;
  const strategy = { clusterId, backupDate: 'Tuesday,Wednesday', period: '7:00-9:00' };
  const idOf = `sed -n 's/.*"backupId":"\\([^"]*\\)".*/\\1/p'`;
  const backup = call('POST', 'backups/', { clusterId, backupMode: 'manual' });
  const records = call('GET', `backups/?clusterId=${clusterId}&backupId=$BACKUP&page=1&pageSize=30`);
  const cancel = call('POST', 'backups/cancel', undefined).concat(
    ` -d '{"clusterId":"${clusterId}","backupId":"'$BACKUP'"}'`,
  );
  // A canceled backup can be deleted when its br has stopped: until then the answer is 409.
  const whenStopped = '--fail --retry 30 --retry-delay 1 --retry-all-errors ';
  return [
    `${call('GET', `clusters/${clusterId}/strategy`)}; echo`,
    `${call('PUT', `clusters/${clusterId}/strategy`, { strategy })}; echo`,
    `BACKUP=$(${backup} | ${idOf}); echo "backup $BACKUP"`,
    `until ${records} | grep -E '"status":"(Finished|Failed)"'; do sleep 1; done; echo`,
    `BACKUP=$(${backup} | ${idOf}); ${cancel}; echo`,
    `${call('DELETE', 'backups/$BACKUP', undefined, whenStopped)}; echo`,
  ];
}
