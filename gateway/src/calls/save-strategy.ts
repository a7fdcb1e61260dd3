import { namesRule } from './find-rule.ts';
import type { Steps } from './steps.ts';
import { clusterOfRule } from './storage-access.ts';

export const saveStrategy: Steps<'saveStrategy'> = {
  audit: ({ validateOnly, createOnly }) =>
    validateOnly ? undefined : createOnly ? 'create strategy' : 'save strategy',
  names: ({ rule, createOnly }) => (createOnly ? { rule } : namesRule(rule)),
  async prepare(request, acting) {
    const cluster = await clusterOfRule(request, acting.scope, acting.dependencies);
    request.defaultTimeZone = cluster?.timeZone ?? '';
  },
};
