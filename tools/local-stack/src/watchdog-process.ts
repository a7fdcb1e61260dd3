/** The process of `watchdog.ts`: reads until its standard input ends, and then does what is written there. */
const [dataDir = ''] = process.argv.slice(2);
// A Ctrl-C or the end of a terminal is the stack's to act on.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => undefined);

let heard = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (text) => {
  heard += text;
});
process.stdin.once('close', async () => {
  const { DISMISSAL } = await import('./watchdog.ts');
  if (heard !== DISMISSAL) await endWhatIsLeft();
  process.exit(0);
});

async function endWhatIsLeft(): Promise<void> {
  const { claimDataFolder } = await import('./data-folder.ts');
  const { isTemporary, removeFolder } = await import('./temporary-data.ts');
  try {
    using folder = await claimDataFolder(dataDir);
    if (isTemporary(folder.path)) removeFolder(folder.path);
  } catch {
    // The next start has it already, and has ended all that was left.
  }
}
