/** The engines to choose from: `automatic` takes a GPU where there is one, and else the CPU. */
export const engineNames = ['automatic', 'webgpu', 'cpu'] as const;
export type EngineName = (typeof engineNames)[number];

/** A person's choice of the engine that runs the encoder. */
export interface EngineChoice {
  readonly engine: EngineName;
  /** Threads of the CPU engine; null for one a core. */
  readonly threads: number | null;
}

/** The engine that runs an encoder. */
export interface EngineInfo {
  readonly engine: Exclude<EngineName, 'automatic'>;
  /** "NVIDIA GeForce RTX 4070"; "CPU, 2 threads, relaxed SIMD". */
  readonly description: string;
  /** Threads of the CPU engine; null on a GPU. */
  readonly threads: number | null;
  /** Whether a processor computes, as a software adapter does: then passes gain nothing by being computed together. */
  readonly software: boolean;
  /** The sentence that says what could not be had, and what runs the encoder instead; null where nothing was missing. */
  readonly why: string | null;
}
