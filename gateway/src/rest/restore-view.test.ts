import { create } from '@bufbuild/protobuf';
import { RestoreSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { expect, it } from 'vitest';
import { toRestoreView } from './restore-view.ts';

const canceled = (reason: string) => toRestoreView(create(RestoreSchema, { cancellation: { by: 'alice', reason } }));

it('shows who canceled a restore, and the reason where they gave one', () => {
  expect(canceled('wrong cluster')).toMatchObject({ canceledBy: 'alice', cancelReason: 'wrong cluster' });
  expect(canceled('')).not.toHaveProperty('cancelReason');
});
