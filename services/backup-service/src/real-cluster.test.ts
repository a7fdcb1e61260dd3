import { MAX_OTHER_PD } from '@tidemark/limits/limits';
import { describe, expect, it } from 'vitest';
import { namesakesOf, otherPdOf, whyOne } from './real-cluster.ts';

const sharing = (one: string, other: string) =>
  whyOne({ clusterId: 'a', pd: [one] }, { clusterId: 'b', pd: ['10.9.9.9:2379', other] });

describe('two registrations', () => {
  it.each([
    ['127.0.0.1:2379', 'localhost:2379'],
    ['127.0.0.1:2379', 'LOCALHOST.:2379'],
    ['127.0.0.1:2379', '127.1:2379'],
    ['127.0.0.1:2379', '2130706433:2379'],
    ['127.0.0.1:2379', '0x7f000001:2379'],
    ['127.0.0.1:2379', '127.0.0.1.:2379'],
    ['127.0.0.1:2379', '[::ffff:127.0.0.1]:2379'],
    ['127.0.0.1:2379', '[::1]:2379'],
    ['127.0.0.1:2379', '0.0.0.0:2379'],
    ['10.0.0.1:2379', 'http://10.0.0.1:2379/'],
    ['PD-0.example:2379', 'pd-0.example.:2379'],
    ['pd_0:2379', 'PD_0:2379'],
    ['[fe80::1]:2379', '[FE80:0::1]:2379'],
  ])('are of one cluster by %s and %s', (one, other) => expect(sharing(one, other)).toMatch(/^both have the PD /));

  it.each([
    ['10.0.0.1:2379', '10.0.0.1:3379'],
    ['10.0.0.1:2379', '10.0.0.11:2379'],
    ['pd-0:2379', 'pd-1:2379'],
    ['10.0.0.1:80', '10.0.0.1:8080'],
  ])('are of two by %s and %s', (one, other) => expect(sharing(one, other)).toBeUndefined());
});

describe('the other registrations of a cluster', () => {
  const named = (...pd: string[]) => ({ pd });
  const [near, bridge, far, other] = [named('a:1', 'b:1'), named('B.:1', 'c:1'), named('c:1', 'd:1'), named('e:1')];

  it('are those that have a PD of it, and those that have one of these, the nearest first', () => {
    expect(namesakesOf(['a:1'], [far, other, bridge, near])).toEqual([near, bridge, far]);
    expect(namesakesOf(['e:1'], [far, bridge, near])).toEqual([]);
  });

  it('have PDs that it has not, of which a bounded number is kept', () => {
    expect(otherPdOf(['a:1'], [near, bridge, far])).toEqual(['b:1', 'c:1', 'd:1']);
    const many = Array.from({ length: MAX_OTHER_PD + 1 }, (_, index) => named(`pd-${index}:1`));
    expect(otherPdOf(['a:1'], many)).toHaveLength(MAX_OTHER_PD);
  });
});
