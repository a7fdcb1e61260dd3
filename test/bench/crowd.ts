/**
 * Does something so many times, a fixed number of them at once: each one begins when another has ended.
 *
 * @param act gets the number of the call, from 0 on
 */
export async function crowd(
  { times, atOnce, signal }: { readonly times: number; readonly atOnce: number; readonly signal: AbortSignal },
  act: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const one = async () => {
    for (let index = next++; index < times; index = next++) {
      signal.throwIfAborted();
      await act(index);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}
