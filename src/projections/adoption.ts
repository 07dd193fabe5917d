/** Rows that were made beside those that serve (`build.ts`), until they take their place: all of them with one batch. */
import type { StoreOperation } from '../store/store.ts';
import { buildEndOps } from './build-state.ts';
import { pointerOps } from './rows.ts';
import { servedRows, type Follower, type Track } from './take-up.ts';
import type { Tidying } from './tidying.ts';

type FollowerOf = (name: string) => Follower;

export class Adoption {
  /** They follow the log; those that went wrong are taken out. */
  readonly successors: Track[];
  /** Of the log when they came: what a stale projection's successors must hold. */
  readonly #headHeight: number;
  /** Names of those that serve now. */
  readonly done: PromiseWithResolvers<readonly string[]> = Promise.withResolvers();

  constructor(successors: readonly Track[], headHeight: number) {
    this.successors = [...successors];
    this.#headHeight = headHeight;
  }

  /** Whether they are as far as those that they replace. */
  isReady(followerOf: FollowerOf): boolean {
    return this.successors.every(({ cursor, projection: { name } }) => {
      const { state, track } = followerOf(name);
      return state === 'following' ? cursor >= track.cursor : cursor >= this.#headHeight;
    });
  }

  drop(track: Track): void {
    this.successors.splice(this.successors.indexOf(track), 1);
  }

  /** The one batch by which they begin to serve. */
  pointerOps(): readonly StoreOperation[] {
    const pointers = this.successors.flatMap(({ projection: { name, version }, rows: { generation } }) =>
      pointerOps(name, { version, generation }),
    );
    return [...pointers, ...buildEndOps()];
  }

  /** That batch is written. */
  serve(followerOf: FollowerOf, tidying: Tidying): void {
    for (const track of this.successors) {
      const follower = followerOf(track.projection.name);
      follower.track = track;
      follower.state = 'following';
      if (follower.served === null) follower.served = servedRows(track.rows, tidying);
      else follower.served.replace(track.rows);
    }
    this.done.resolve(this.successors.map(({ projection: { name } }) => name));
  }
}
