import { type ByteSource, SourceError } from '../../files/sources.ts';
import type { StoragePlace } from './storageFiles.ts';

export type StorageFault =
  | 'quota'
  /** Another tab, or another download here, is writing it. */
  | 'busy'
  | 'missing'
  /** It was deleted while it was being written. */
  | 'deleted'
  | 'unavailable';

/** A stored model cannot be written or read. The message is one sentence that says why and what to do. */
export class StorageError extends SourceError {
  override name = 'StorageError';
  readonly fault: StorageFault;
  constructor(fault: StorageFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

export interface StoredModel {
  readonly id: string;
  readonly name: string;
  /** The address it came from, or the keptSource of the file it was copied from; empty if that is no longer known. */
  readonly source: string;
  /** Length of the whole file; null if that is no longer known. */
  readonly bytes: number | null;
  /** Bytes stored so far; fewer than `bytes` until the download is finished. */
  readonly stored: number;
  /** True once the file was verified. Before that, its download can be resumed or deleted. */
  readonly complete: boolean;
  /** Milliseconds since 1970. */
  readonly addedAt: number;
  /** Hash of the stored file, in hexadecimal; null until it is complete. */
  readonly sha256: string | null;
}

/** Identifies the file that an unfinished download is a part of. */
export interface Part {
  /** Tells this version of the file from others; null if nothing does, and then the download cannot be resumed. */
  readonly version: string | null;
  /** Length of the whole file. */
  readonly bytes: number;
}

/** One model being written. Calls run one after the other, so a deletion cannot come between them. Throws StorageError. */
export interface ModelSink {
  readonly id: string;
  /** The file that the stored bytes belong to; null in an empty sink. */
  readonly part: Part | null;
  /** Bytes stored so far. */
  readonly size: number;
  /** Discards the stored bytes and begins a new file, if the browser has room for it. */
  begin(part: Part): Promise<void>;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Returns the bytes written so far, to be read again. A later write appends to them. */
  written(): Promise<ByteSource>;
  /** Ends the writing and marks the model as complete. */
  commit(made: { readonly sha256: string; readonly source: string }): Promise<StoredModel>;
  /** Ends the writing and keeps the part. */
  close(): Promise<void>;
}

export interface ModelStorage {
  readonly place: StoragePlace;
  /** Returns all models, the newest first. */
  list(): Promise<StoredModel[]>;
  /** Throws StorageError if the model is not complete, or missing; the message then calls it `name`. */
  open(id: string, name?: string): Promise<ByteSource>;
  /** Resumes the part that was begun from this source, or begins a new one. */
  sink(model: { readonly name: string; readonly source: string }): Promise<ModelSink>;
  /** Deletes a model, complete or not. A download that is writing it ends in StorageError "deleted". */
  delete(id: string): Promise<void>;
}

/** The part of StorageManager that is used. */
export interface StorageQuota {
  estimate?(): Promise<{ usage?: number; quota?: number }>;
}
