import { expect, it } from 'vitest';
import { createLogTail } from './log-tail.ts';

it('puts lines together that came in pieces', () => {
  const tail = createLogTail(10);
  for (const piece of ['one\ntw', 'o\n', 'thr']) tail.push(piece);
  expect(tail.last(10)).toEqual(['one', 'two', 'thr']);
  expect(tail.count).toBe(3);
  tail.push('ee\n');
  expect(tail.last(10)).toEqual(['one', 'two', 'three']);
});

it('keeps the last lines alone, and knows how many there were', () => {
  const tail = createLogTail(3);
  for (let line = 1; line <= 100; line += 1) tail.push(`${line}\n`);
  expect(tail.last(500)).toEqual(['98', '99', '100']);
  expect(tail.last(2)).toEqual(['99', '100']);
  expect(tail.count).toBe(100);
});

it('cuts a line that never ends', () => {
  const tail = createLogTail(3);
  for (let piece = 0; piece < 100; piece += 1) tail.push('x'.repeat(1_000));
  expect(tail.last(3)).toHaveLength(1);
  expect(tail.last(3)[0]?.length).toBeLessThan(10_000);
});
