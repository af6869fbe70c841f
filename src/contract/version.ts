/** The program's own version, for `/version`, the OpenAPI document and the clients. A test holds it equal to package.json. */
export const VERSION = "0.1.0";
