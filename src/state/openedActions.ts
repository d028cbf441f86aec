import type { Embedding } from '../models/embeddingFile.ts';
import type { LoadingActions } from './loading.ts';
import type { LoraActions } from './loraActions.ts';
import { messageOf } from './notices.ts';
import type { Page } from './page.ts';
import { SharedError } from './shared.ts';
import type { WorkActions } from './workActions.ts';

export interface OpenedActions {
  /**
   * A picture's prompt, a saved prompt, conditionings, a textual inversion, a LoRA, a U-Net or a checkpoint; what is wrong with it
   * ends as a notice. PEFT's settings of a LoRA are taken from `together`, the files that were opened with it.
   */
  openFile(file: File, together?: readonly File[]): Promise<void>;
  /** Opens the text encoder or the LoRA in a folder that was dropped. */
  openFolder(folder: FileSystemDirectoryEntry): Promise<void>;
  closeCompared(): void;
  /** Takes a file's U-Net in the place of the model's own; null goes back to that. */
  openUnet(file: File | null): void;
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

  /** Finds PEFT's settings among the files that were opened together with a LoRA. */
  async function settingsAmong(together: readonly File[]): Promise<string | undefined> {
    const { readAdapterConfig } = await import('./openFile.ts');
    for (const file of together) {
      if (!file.name.endsWith('.json')) continue;
      const json = await readAdapterConfig(file);
      if (json !== null) return json;
    }
    return undefined;
  }

  /** Gives settings that were opened alone to the LoRA that they belong to by its name. */
  async function useSettings(json: string, { name }: File): Promise<void> {
    const lora = [...get().loras.values()].find(({ file }) => /^adapter_model\./.test(file.name));
    if (lora) return addLora(lora.file, json);
    notify(
      `"${name}" has PEFT’s settings of a LoRA, but not its matrices: open adapter_model.safetensors together with it.`,
    );
  }

  async function use(file: File, together: readonly File[]): Promise<void> {
    const { readOpened } = await import('./openFile.ts');
    const opened = await readOpened(file);
    switch (opened.kind) {
      case 'checkpoint':
        return openModel({ kind: 'file', file });
      case 'lora':
        if (opened.embeddings.length > 0) addEmbeddings(opened.embeddings);
        if (opened.problem) notify(opened.problem);
        return addLora(file, await settingsAmong(together));
      case 'adapterConfig':
        // The LoRA takes its settings itself.
        return together.length > 1 ? undefined : useSettings(opened.json, file);
      case 'trailing':
        return notify(opened.problem, { label: 'Open it without these bytes', file: opened.file });
      case 'conditioning':
        return set({ compared: opened.file, view: 'export' });
      case 'unet':
        return set({ unet: file, view: 'analyses' });
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

  async function openFile(file: File, together: readonly File[] = []): Promise<void> {
    const { replaced, notices } = get();
    try {
      await use(file, together);
      // The message of an earlier file goes when a later one is opened. An opening that failed left a notice.
      if (get().replaced === replaced && get().notices === notices) set({ replaced: null });
    } catch (error) {
      notify(error instanceof SharedError ? `"${file.name}" ${error.message}.` : messageOf(error));
    }
  }

  return {
    openFile,
    async openFolder(folder) {
      try {
        const { filesToOpen } = await import('./folder.ts');
        const files = await filesToOpen(folder);
        if (files.length === 0)
          notify(
            `The folder "${folder.name}" has no file of a name that is known, such as text_encoder/model.safetensors: open the file that you mean.`,
          );
        for (const file of files) await openFile(file, files);
      } catch (error) {
        notify(`The folder "${folder.name}" cannot be read: ${messageOf(error)}`);
      }
    },
    closeCompared: () => set({ compared: null }),
    openUnet: (unet) => set({ unet }),
    removeEmbedding: (name) => set({ embeddings: get().embeddings.filter((embedding) => embedding.name !== name) }),
  };
}
