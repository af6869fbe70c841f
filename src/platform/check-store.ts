/** The way of the commands to the store, see `gateway/check-store.ts`. */
export { checkStore } from "../gateway/check-store.ts";
