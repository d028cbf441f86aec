import type { Embedding } from '../models/embeddingFile.ts';
import type { LoadingActions } from './loading.ts';
import type { LoraActions } from './loraActions.ts';
import { messageOf } from './notices.ts';
import { readOpened } from './openFile.ts';
import type { Page } from './page.ts';
import { SharedError } from './shared.ts';
import type { WorkActions } from './workActions.ts';

export interface OpenedActions {
  /** A picture's prompt, a saved prompt, conditionings, a textual inversion, a LoRA or a checkpoint; what is wrong with it ends as a notice. */
  openFile(file: File): Promise<void>;
  closeCompared(): void;
  removeEmbedding(name: string): void;
}

/** Adds textual inversions: one that is loaded again takes the place of the one before. */
function withEmbeddings(known: readonly Embedding[], added: readonly Embedding[]): readonly Embedding[] {
  return [...new Map([...known, ...added].map((embedding) => [embedding.name, embedding])).values()];
}

/** Opens files of every kind that the page reads. */
export function openedActions(
  { get, set, notify }: Page,
  { openModel, addLora, takeWritten, useShared }: LoadingActions & LoraActions & WorkActions,
): OpenedActions {
  const addEmbeddings = (added: readonly Embedding[]) => set({ embeddings: withEmbeddings(get().embeddings, added) });

  async function use(file: File): Promise<void> {
    const opened = await readOpened(file);
    switch (opened.kind) {
      case 'checkpoint':
        return openModel({ kind: 'file', file });
      case 'lora':
        if (opened.embeddings.length > 0) addEmbeddings(opened.embeddings);
        if (opened.problem) notify(opened.problem);
        return addLora(file);
      case 'conditioning':
        return set({ compared: opened.file, view: 'export' });
      case 'embeddings':
        return addEmbeddings(opened.embeddings);
      case 'prompts':
        return takeWritten(opened.written, `From ${file.name}`);
      case 'shared':
        return useShared(opened.shared, `Opened from ${file.name}.`);
      default:
        return opened satisfies never;
    }
  }

  return {
    async openFile(file) {
      const { replaced, notices } = get();
      try {
        await use(file);
        // What an earlier file replaced is no longer told beside a later one. An opening that failed left a notice.
        if (get().replaced === replaced && get().notices === notices) set({ replaced: null });
      } catch (error) {
        notify(error instanceof SharedError ? `"${file.name}" ${error.message}.` : messageOf(error));
      }
    },
    closeCompared: () => set({ compared: null }),
    removeEmbedding: (name) => set({ embeddings: get().embeddings.filter((embedding) => embedding.name !== name) }),
  };
}
