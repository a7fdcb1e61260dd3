import { readFileSync } from 'node:fs';

/** The descriptors of every service, as `buf build` wrote them: what server reflection serves. */
export function readDescriptorSet(): Buffer {
  return readFileSync(new URL('./gen/descriptor-set.binpb', import.meta.url));
}
