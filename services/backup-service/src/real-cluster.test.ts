import { describe, expect, it } from 'vitest';
import { whyOne } from './real-cluster.ts';

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
