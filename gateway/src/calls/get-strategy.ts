import { DEFAULT_RULE, savedRule } from './find-rule.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const getStrategy: Steps<'getStrategy'> = {
  /** The default rule is there with its cluster; another one must have been saved. */
  async act(request, { scope, dependencies }) {
    const found = await dependencies.backends.strategies.getStrategy(request, callOptions(scope, dependencies));
    const { clusterId, rule } = request;
    if (rule !== '' && rule !== DEFAULT_RULE) savedRule(found.strategy, clusterId, rule);
    return found;
  },
};
