import { create } from '@bufbuild/protobuf';
import { MAX_TEXT } from '@tidemark/limits/limits';
import { ListBackupsResponseSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { listBackups as listAll } from './lists.ts';
import { isPageToken, WHOLE_TOKEN } from './page-token.ts';
import { requireOnlyCluster } from './require-cluster.ts';
import { setPage } from './set-page.ts';
import { type Steps, unless } from './steps.ts';

export const listBackups: Steps<'listBackups'> = {
  check: ({ pageToken }) =>
    unless(
      // What is longer than any text may be was found out already.
      pageToken === '' || pageToken.length > MAX_TEXT || isPageToken(pageToken),
      'pageToken',
      WHOLE_TOKEN,
    ),
  prepare: setPage,
  async act(request, acting) {
    const found = create(ListBackupsResponseSchema, await listAll(request, acting.scope, acting.dependencies));
    // A cluster that was never there is told apart from one without backups (must-not C15).
    if (found.total === 0n && !found.totalLeftOut) await requireOnlyCluster(acting);
    return found;
  },
};
