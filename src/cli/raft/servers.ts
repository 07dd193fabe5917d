/** Servers on a command line: `id=host:port`. */
import { InvalidArgumentError } from 'commander';

export interface NamedServer {
  readonly id: string;
  readonly address: string;
}

/** For an option that may be given several times, each with one or more servers by commas. */
export function gatheredServers(text: string, before: readonly NamedServer[] | undefined): readonly NamedServer[] {
  const more = text.split(',').map((pair) => {
    const at = pair.indexOf('=');
    const [id, address] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    if (at < 1 || address === '') throw new InvalidArgumentError('Write id=host:port.');
    return { id, address };
  });
  return [...(before ?? []), ...more];
}
