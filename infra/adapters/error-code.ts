export { systemCode } from "../../schemas/errors.js";
