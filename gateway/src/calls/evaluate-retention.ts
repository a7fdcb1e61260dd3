import { create } from '@bufbuild/protobuf';
import { EvaluateRetentionResponseSchema } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import { DEFAULT_RULE } from './find-rule.ts';
import { evaluateRetention as evaluateAll } from './lists.ts';
import { requireRule } from './require-cluster.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const evaluateRetention: Steps<'evaluateRetention'> = {
  prepare: ({ clusterId, rule }, acting) => requireRule(clusterId, rule || DEFAULT_RULE, acting),
  act: async (request, { scope, dependencies }) =>
    create(
      EvaluateRetentionResponseSchema,
      await evaluateAll(request, dependencies, () => callOptions(scope, dependencies)),
    ),
};
