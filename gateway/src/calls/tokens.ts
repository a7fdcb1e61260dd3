/** The calls about tokens. Who sees some clusters makes, sees and revokes tokens for these alone. */
import { AppError } from '@tidemark/errors/app-error';
import { seesAll } from '../authorize.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const createToken: Steps<'createToken'> = {
  prepare({ allClusters, labels }, { scope: { caller } }) {
    if (seesAll(caller) || (!allClusters && Object.keys(labels).length === 0)) return;
    // Which clusters have a label may change.
    throw new AppError(
      'permission_denied',
      `A token for all clusters, or for those with labels, is made with a token for all clusters; "${caller.name}" is limited to some.`,
    );
  },
  async act(request, { scope, dependencies }) {
    const answer = await dependencies.backends.registry.createToken(request, callOptions(scope, dependencies));
    const { id: token } = answer.token ?? {};
    if (token !== undefined) scope.audited = { ...scope.audited, token };
    return answer;
  },
  ofNothing() {
    throw new AppError('permission_denied', 'This token sees no cluster that another one could be for.');
  },
};

export const revokeToken: Steps<'revokeToken'> = {
  ofNothing() {
    throw new AppError('token_not_found', 'There is no such token that was made by a call.');
  },
};
