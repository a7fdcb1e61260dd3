import { expect, it } from 'vitest';
import { inPieces } from './in-pieces.ts';

const values = Array.from({ length: 120 }, (_, index) => index);

it('looks for each of many values once, some of them at a time', async () => {
  const pieces: number[] = [];
  const found = await inPieces(values, async (some) => {
    pieces.push(some.length);
    return some;
  });
  expect(found).toEqual(values);
  expect(pieces).toEqual([50, 50, 20]);
});

it('looks for no more once there is enough', async () => {
  let asked = 0;
  const odd = async (some: number[]) => {
    asked += 1;
    return some.filter((value) => value % 2 === 1);
  };
  expect((await inPieces(values, odd, 10)).slice(0, 3)).toEqual([1, 3, 5]);
  expect(asked).toBe(1);
});
