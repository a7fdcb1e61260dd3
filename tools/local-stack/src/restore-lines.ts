import { DEMO_CLUSTER } from './registration.ts';

/** A second made-up cluster, and where it says that its PD is. */
const TARGET = { id: 'test-tidb-dr', pd: '127.0.0.1:12379' };
const TABLE = 'shop.orders';

/**
 * A table that is lost and comes back, as lines for a shell that need no editing: a backup, the table dropped, a restore into a second
 * made-up cluster, and the table there.
 */
export function restoreLines({
  url,
  token,
  dataDir,
}: {
  readonly url: string;
  readonly token: string;
  readonly dataDir: string;
}): string[] {
  const headers = `-H "Content-Type: application/json" -H "Authorization: Bearer ${token}"`;
  const call = (method: string, path: string, body?: string) =>
    `curl -s -X ${method} "${url}/api/v1/${path}" ${headers}${body === undefined ? '' : ` -d '${body}'`}`;
  const field = (name: string) => `sed -n 's/.*"${name}":"\\([^"]*\\)".*/\\1/p'`;
  const until = (path: string, end: string) =>
    `until ${call('GET', path)} | grep -qE '"(status|state)":"(${end}|Failed)"'; do sleep 1; done`;
  const demo = (rest: string) => `npm run --silent demo-cluster -- --data '${dataDir}' ${rest}`;
  const target = { name: 'made up, for restores', pd: [TARGET.pd], version: '8.5.0', storageId: 'local' };
  const wish = `"backupId":"'$BACKUP'","targetClusterId":"${TARGET.id}"`;
  const start = `{${wish},"planHash":"'$PLAN'","confirm":"${TARGET.id}"}`;
  return [
    `BACKUP=$(${call('POST', 'backups/', JSON.stringify({ clusterId: DEMO_CLUSTER }))} | ${field('backupId')})`,
    until(`backups/?clusterId=${DEMO_CLUSTER}&backupId=$BACKUP`, 'Finished'),
    demo(`drop ${TABLE}`),
    `${call('PUT', `clusters/${TARGET.id}`, JSON.stringify(target))}; echo`,
    demo(`--pd ${TARGET.pd} empty`),
    `PLAN=$(${call('POST', 'restores/plan', `{${wish}}`)} | ${field('planHash')})`,
    `RESTORE=$(${call('POST', 'restores', start)} | ${field('restoreId')}); echo "restore $RESTORE"`,
    until('restores/$RESTORE', 'Succeeded'),
    demo(`--pd ${TARGET.pd} list`),
  ];
}
