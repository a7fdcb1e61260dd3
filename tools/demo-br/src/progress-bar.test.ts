import { expect, test } from 'vitest';
import { barText, drawBar } from './progress-bar.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: the bar has colours.
const plain = (text: string) => text.replace(/\u001b\[[0-9;]*m/g, '');

test('a bar has the name of the step in colour and the share at its end', () => {
  expect(barText('Full Backup', 17, 100)).not.toBe(plain(barText('Full Backup', 17, 100)));
  expect(plain(barText('Full Backup', 1712, 10_000))).toMatch(/^Full Backup <-{10}\.{50}> 17\.12%$/);
  expect(plain(barText('Checksum', 5, 4))).toMatch(/^Checksum <-{60}> 100\.00%$/);
  expect(plain(barText('Checksum', 0, 0))).toMatch(/> \?%$/);
});

test('a terminal gets it in place, a pipe without any line break', () => {
  const written: string[] = [];
  const stream = (isTTY: boolean) => ({ isTTY, write: (text: string) => written.push(text) });
  drawBar(stream(true), 'a', false);
  drawBar(stream(true), 'b', true);
  drawBar(stream(false), 'c', false);
  drawBar(stream(false), 'd', true);
  expect(written).toEqual(['\ra', '\rb\n', 'c', 'd']);
});
