/** The projections of a running node: what drives them, and what rebuilds them beside it. */
import type { Refusal, Result } from '../../base/result.ts';
import type { Logger } from '../../observability/log.ts';
import type { ProjectedBlock, Projection, ProjectionReader } from '../../projections/projection.ts';
import { Projector, type ProjectionStatus } from '../../projections/projector.ts';
import type { TakenUpFrom } from '../../projections/take-up.ts';
import { LiveRebuild, type RebuildStatus, type StartRebuild } from './live-rebuild.ts';

export interface NodeProjectionsOptions extends TakenUpFrom {
  readonly projections: readonly Projection[];
  readonly startRebuild: StartRebuild;
  readonly logger: Pick<Logger, 'error' | 'info'>;
}

/** Of all projections. */
export interface ProjectionsStatus {
  readonly projections: readonly ProjectionStatus[];
  /** Null where none is under way. */
  readonly rebuild: RebuildStatus | null;
  /** Why the last rebuild failed; null when it did not. */
  readonly rebuildFailure: Refusal | null;
}

/** Blocks up to here are wanted by no projection any more; -1: all of them are. */
export interface HeldHeight {
  readonly height: number;
  /** Those above it, in words. */
  readonly waitsFor: string;
}

export const NO_PROJECTIONS: ProjectionsStatus = { projections: [], rebuild: null, rebuildFailure: null };

export class NodeProjections {
  readonly #projector: Projector;
  readonly #rebuild: LiveRebuild;

  private constructor(projector: Projector, rebuild: LiveRebuild) {
    this.#projector = projector;
    this.#rebuild = rebuild;
  }

  /** Takes all of them up where they stood. Nothing is rebuilt before `begin`. */
  static async open(options: NodeProjectionsOptions): Promise<NodeProjections> {
    const { logger, startRebuild, store, ...from } = options;
    const later: { rebuild: LiveRebuild | null } = { rebuild: null };
    const projector = await Projector.open({
      ...from,
      store,
      onStopped: (projection, error) => {
        logger.error(
          { projection, err: error },
          'a projection stopped; it is rebuilt once, or with "hotledger rebuild"',
        );
        later.rebuild?.offer(projection);
      },
    });
    const nowMs = (): number => performance.now();
    const rebuild = new LiveRebuild({ projector, store, start: startRebuild, log: logger, nowMs });
    later.rebuild = rebuild;
    return new NodeProjections(projector, rebuild);
  }

  /** Follows the log, and rebuilds what cannot. Returns at once. */
  begin(): void {
    this.#projector.offer([]);
    this.#rebuild.begin();
  }

  /** Blocks that were just committed. Returns at once. */
  offer(blocks: readonly ProjectedBlock[]): void {
    this.#projector.offer(blocks);
  }

  status(): ProjectionsStatus {
    return {
      projections: this.#projector.status(),
      rebuild: this.#rebuild.status(),
      rebuildFailure: this.#rebuild.failure,
    };
  }

  /** Which blocks they no longer want. A rebuild needs all of them, or would. */
  held(): HeldHeight {
    const { projections, rebuild } = this.status();
    if (rebuild !== null)
      return { height: -1, waitsFor: `projections are being rebuilt: ${rebuild.projections.join(', ')}` };
    const halted = projections.find(({ state }) => state !== 'following');
    if (halted !== undefined) return { height: -1, waitsFor: `the projection ${halted.name} is ${halted.state}` };
    const last = projections.reduce((least, each) => (each.height < least.height ? each : least));
    return { height: last.height, waitsFor: `the projection ${last.name} is at height ${last.height}` };
  }

  /** @throws CodedError `projection-not-built` */
  reader(name: string): ProjectionReader {
    return this.#projector.reader(name);
  }

  /** As `Projector.read`. */
  read<T>(name: string, use: (reader: ProjectionReader, height: number) => Promise<T>): Promise<T> {
    return this.#projector.read(name, use);
  }

  /** As `LiveRebuild.request`. */
  request(names: readonly string[]): Result<readonly string[]> {
    return this.#rebuild.request(names);
  }

  /** Resolves when the rows hold the head of the log, nothing is being rebuilt, and nothing is left of what was before. */
  async settled(): Promise<void> {
    do {
      await this.#rebuild.idle();
      await this.#projector.caughtUp();
      // What stopped while it caught up is being rebuilt now.
    } while (this.#rebuild.status() !== null);
    await this.#projector.tidied();
  }

  async close(): Promise<void> {
    // What waits for rows to be adopted is told by the projector that it waits in vain.
    const stopped = this.#rebuild.stop();
    await this.#projector.close();
    await stopped;
  }
}
