/** placeholder */
import type { StreamMuxerFactory } from '@libp2p/interface';
import { yamux } from '@libp2p/yamux';

export type YamuxOptions = NonNullable<Parameters<typeof yamux>[0]>;

export function coalescingYamux(options: YamuxOptions): () => StreamMuxerFactory {
  return yamux(options);
}
